-- +goose Up
CREATE TABLE domains (
    site_id    INTEGER NOT NULL REFERENCES sites (id) ON DELETE CASCADE,
    name       TEXT    NOT NULL,
    state      TEXT    NOT NULL CHECK (state IN ('waiting', 'active', 'lapsed')),
    token      TEXT    NOT NULL,
    created_at INTEGER NOT NULL,
    proven_at  INTEGER NOT NULL,
    strayed_at INTEGER NOT NULL,
    PRIMARY KEY (site_id, name)
) STRICT, WITHOUT ROWID;

-- Names that an account has given up. The account may be gone; its id is never used twice.
CREATE TABLE held_names (
    name       TEXT    PRIMARY KEY,
    account_id INTEGER NOT NULL,
    until      INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

-- Who had a site of a name that was deleted: others' CNAME records may still lead to it.
CREATE TABLE former_owners (
    site       TEXT    PRIMARY KEY,
    account_id INTEGER NOT NULL -- 0: several accounts
) STRICT, WITHOUT ROWID;
