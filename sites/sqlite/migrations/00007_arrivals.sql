-- +goose Up
-- Uploads whose senders were told that they have arrived, and that are no releases yet.
CREATE TABLE arrivals (
    id         INTEGER PRIMARY KEY AUTOINCREMENT, -- in the order of arrival
    site_id    INTEGER NOT NULL REFERENCES sites (id) ON DELETE CASCADE,
    account_id INTEGER NOT NULL REFERENCES accounts (id) ON DELETE CASCADE, -- who has sent it
    origin     TEXT    NOT NULL, -- from where
    file       TEXT    NOT NULL, -- name of the zip in uploads/
    starts     INTEGER NOT NULL  -- of berth that have gone on with it
) STRICT;

-- A site names releases that are there.
UPDATE sites SET wanted = 0
WHERE wanted <> 0 AND NOT EXISTS (SELECT 1 FROM releases r WHERE r.site_id = sites.id AND r.number = sites.wanted);

-- +goose StatementBegin
CREATE TRIGGER sites_name_releases BEFORE UPDATE OF active, wanted ON sites
WHEN EXISTS (
    SELECT 1 FROM (SELECT NEW.active AS number UNION SELECT NEW.wanted) named
    WHERE named.number NOT IN (0, OLD.active, OLD.wanted)
    AND NOT EXISTS (SELECT 1 FROM releases r WHERE r.site_id = NEW.id AND r.number = named.number)
)
BEGIN
    SELECT RAISE(ABORT, 'a site names a release that is not there');
END;
-- +goose StatementEnd

-- +goose StatementBegin
CREATE TRIGGER releases_are_named BEFORE DELETE ON releases
WHEN EXISTS (SELECT 1 FROM sites s WHERE s.id = OLD.site_id AND OLD.number IN (s.active, s.wanted))
BEGIN
    SELECT RAISE(ABORT, 'a site names the release');
END;
-- +goose StatementEnd
