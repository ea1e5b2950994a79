-- +goose Up
CREATE TABLE two_step (
    account_id INTEGER PRIMARY KEY REFERENCES accounts (id) ON DELETE CASCADE,
    secret     BLOB    NOT NULL,
    used       INTEGER NOT NULL, -- the last time step whose code was taken
    recovery   TEXT    NOT NULL, -- JSON array of the hashes of the codes that are left, in base64
    since      INTEGER NOT NULL
) STRICT;
