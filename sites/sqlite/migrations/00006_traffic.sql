-- +goose Up
-- What was counted of requests. The hour and day come first in the keys: what is written and what is pruned lies together.
CREATE TABLE traffic_hours (
    hour     INTEGER NOT NULL, -- since 1970, UTC
    site_id  INTEGER NOT NULL REFERENCES sites (id) ON DELETE CASCADE,
    requests INTEGER NOT NULL,
    bytes    INTEGER NOT NULL,
    visitors INTEGER NOT NULL,
    s1       INTEGER NOT NULL, -- answers by class of status
    s2       INTEGER NOT NULL,
    s3       INTEGER NOT NULL,
    s4       INTEGER NOT NULL,
    s5       INTEGER NOT NULL,
    PRIMARY KEY (hour, site_id)
) STRICT, WITHOUT ROWID;
CREATE INDEX traffic_hours_site ON traffic_hours (site_id);

CREATE TABLE traffic_days (
    day       INTEGER NOT NULL, -- since 1970, UTC
    site_id   INTEGER NOT NULL REFERENCES sites (id) ON DELETE CASCADE,
    requests  INTEGER NOT NULL,
    bytes     INTEGER NOT NULL,
    visitors  INTEGER NOT NULL,
    s1        INTEGER NOT NULL,
    s2        INTEGER NOT NULL,
    s3        INTEGER NOT NULL,
    s4        INTEGER NOT NULL,
    s5        INTEGER NOT NULL,
    paths     TEXT    NOT NULL, -- JSON array, empty once it has been pruned
    referrers TEXT    NOT NULL, -- likewise
    PRIMARY KEY (day, site_id)
) STRICT, WITHOUT ROWID;
CREATE INDEX traffic_days_site ON traffic_days (site_id);
