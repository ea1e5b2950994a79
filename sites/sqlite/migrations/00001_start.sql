-- +goose Up
CREATE TABLE revision (
    id       INTEGER PRIMARY KEY CHECK (id = 1),
    revision INTEGER NOT NULL
) STRICT;
INSERT INTO revision (id, revision) VALUES (1, 0);

CREATE TABLE settings (
    key   TEXT PRIMARY KEY,
    value TEXT NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE accounts (
    id            INTEGER PRIMARY KEY AUTOINCREMENT,
    name          TEXT    NOT NULL UNIQUE,
    role          TEXT    NOT NULL CHECK (role IN ('owner', 'admin')),
    password_hash TEXT    NOT NULL,
    quota_sites   INTEGER NOT NULL,
    quota_bytes   INTEGER NOT NULL,
    created_at    INTEGER NOT NULL
) STRICT;

CREATE TABLE tokens (
    id         INTEGER PRIMARY KEY AUTOINCREMENT,
    account_id INTEGER NOT NULL REFERENCES accounts (id) ON DELETE CASCADE,
    label      TEXT    NOT NULL,
    hash       BLOB    NOT NULL UNIQUE,
    created_at INTEGER NOT NULL,
    used_at    INTEGER NOT NULL
) STRICT;
CREATE INDEX tokens_account ON tokens (account_id);

CREATE TABLE templates (
    name         TEXT    PRIMARY KEY,
    title        TEXT    NOT NULL,
    image        TEXT    NOT NULL,
    port         INTEGER NOT NULL,
    content_path TEXT    NOT NULL,
    command      TEXT    NOT NULL, -- JSON array
    memory_mb    INTEGER NOT NULL,
    cpus         REAL    NOT NULL,
    pids         INTEGER NOT NULL
) STRICT;
INSERT INTO templates (name, title, image, port, content_path, command, memory_mb, cpus, pids)
VALUES ('static', 'Static site', '', 8080, '/content', '[]', 64, 0.5, 64);

CREATE TABLE sites (
    id         INTEGER PRIMARY KEY AUTOINCREMENT,
    name       TEXT    NOT NULL UNIQUE,
    owner_id   INTEGER NOT NULL REFERENCES accounts (id),
    template   TEXT    NOT NULL REFERENCES templates (name),
    desired    TEXT    NOT NULL CHECK (desired IN ('running', 'stopped')),
    active     INTEGER NOT NULL, -- number of a release, 0 for none
    wanted     INTEGER NOT NULL, -- number of the release that is to become active, 0 for none
    memory_mb  INTEGER NOT NULL,
    cpus       REAL    NOT NULL,
    pids       INTEGER NOT NULL,
    created_at INTEGER NOT NULL
) STRICT;
CREATE INDEX sites_owner ON sites (owner_id);

CREATE TABLE hosts (
    name    TEXT    PRIMARY KEY,
    path    TEXT    NOT NULL, -- the labels from the root on: what lies below a name is a range of paths
    site_id INTEGER NOT NULL REFERENCES sites (id) ON DELETE CASCADE,
    kind    TEXT    NOT NULL CHECK (kind IN ('own', 'custom'))
) STRICT, WITHOUT ROWID;
CREATE INDEX hosts_site ON hosts (site_id);
CREATE INDEX hosts_path ON hosts (path);

CREATE TABLE releases (
    site_id      INTEGER NOT NULL REFERENCES sites (id) ON DELETE CASCADE,
    number       INTEGER NOT NULL CHECK (number > 0),
    state        TEXT    NOT NULL CHECK (state IN ('preparing', 'ready', 'failed')),
    reason       TEXT    NOT NULL,
    warning      TEXT    NOT NULL,
    files        INTEGER NOT NULL,
    bytes        INTEGER NOT NULL,
    created_by   TEXT    NOT NULL,
    created_at   INTEGER NOT NULL,
    activated_at INTEGER NOT NULL,
    PRIMARY KEY (site_id, number)
) STRICT, WITHOUT ROWID;

CREATE TABLE zones (
    id         INTEGER PRIMARY KEY AUTOINCREMENT,
    name       TEXT    NOT NULL UNIQUE,
    kind       TEXT    NOT NULL CHECK (kind IN ('main', 'primary', 'secondary')),
    signed     INTEGER NOT NULL,
    peers      TEXT    NOT NULL, -- JSON array
    primaries  TEXT    NOT NULL, -- JSON array
    created_at INTEGER NOT NULL
) STRICT;
CREATE UNIQUE INDEX zones_main ON zones (kind) WHERE kind = 'main';

CREATE TABLE zone_keys (
    id           INTEGER PRIMARY KEY AUTOINCREMENT,
    zone_id      INTEGER NOT NULL REFERENCES zones (id) ON DELETE CASCADE,
    role         TEXT    NOT NULL CHECK (role IN ('ksk', 'zsk')),
    private      BLOB    NOT NULL, -- PKCS #8, DER
    published_at INTEGER NOT NULL,
    active_at    INTEGER NOT NULL,
    retired_at   INTEGER NOT NULL,
    removed_at   INTEGER NOT NULL
) STRICT;
CREATE INDEX zone_keys_zone ON zone_keys (zone_id);

CREATE TABLE tsig_keys (
    name       TEXT    PRIMARY KEY,
    algorithm  TEXT    NOT NULL,
    secret     BLOB    NOT NULL,
    created_at INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE records (
    id      INTEGER PRIMARY KEY AUTOINCREMENT,
    zone_id INTEGER NOT NULL REFERENCES zones (id) ON DELETE CASCADE,
    site_id INTEGER REFERENCES sites (id) ON DELETE CASCADE, -- NULL: below no site's name
    name    TEXT    NOT NULL,
    path    TEXT    NOT NULL, -- as of hosts
    type    TEXT    NOT NULL,
    ttl     INTEGER NOT NULL,
    data    TEXT    NOT NULL,
    target  TEXT    NOT NULL, -- the host that the data points at, empty for none
    UNIQUE (name, type, data)
) STRICT;
CREATE INDEX records_zone ON records (zone_id, path);
CREATE INDEX records_site ON records (site_id);
CREATE INDEX records_path ON records (path);
CREATE INDEX records_target ON records (target) WHERE target <> '';

CREATE TABLE events (
    id       INTEGER PRIMARY KEY AUTOINCREMENT,
    revision INTEGER NOT NULL,
    at       INTEGER NOT NULL,
    actor    TEXT    NOT NULL,
    origin   TEXT    NOT NULL,
    action   TEXT    NOT NULL,
    subject  TEXT    NOT NULL,
    detail   TEXT    NOT NULL
) STRICT;
CREATE INDEX events_subject ON events (subject, id);

CREATE TABLE sessions (
    token  TEXT    PRIMARY KEY,
    data   BLOB    NOT NULL,
    expiry INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
CREATE INDEX sessions_expiry ON sessions (expiry);
