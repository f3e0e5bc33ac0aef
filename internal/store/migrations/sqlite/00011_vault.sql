-- +goose Up
-- What the vault keeps, wherever it keeps it: a row stands before the bytes do,
-- and goes after them.
CREATE TABLE vault_entries (
    digest     TEXT    NOT NULL PRIMARY KEY,
    size       INTEGER NOT NULL,
    created    INTEGER NOT NULL,
    put        INTEGER NOT NULL,             -- the newest put; it names that put as well
    claimed    INTEGER NOT NULL DEFAULT 0,   -- since when a sweep is removing it
    flaw       TEXT    NOT NULL DEFAULT '',  -- what reading it last found: rotten, missing
    lock_mode  TEXT    NOT NULL DEFAULT '',  -- of its retention lock, as read back
    lock_until INTEGER NOT NULL DEFAULT 0,
    lock_hold  INTEGER NOT NULL DEFAULT 0
) STRICT;
CREATE INDEX vault_entries_flaw ON vault_entries (flaw) WHERE flaw <> '';
-- One row: which vault it is, how much is in it, and what the last sweep found.
CREATE TABLE vault (
    id            INTEGER NOT NULL PRIMARY KEY CHECK (id = 1),
    mark          TEXT    NOT NULL,
    entries       INTEGER NOT NULL,
    bytes         INTEGER NOT NULL,
    swept         INTEGER NOT NULL DEFAULT 0,
    orphans       INTEGER NOT NULL DEFAULT 0,
    orphan_bytes  INTEGER NOT NULL DEFAULT 0,
    oldest        INTEGER NOT NULL DEFAULT 0,
    removed       INTEGER NOT NULL DEFAULT 0,
    removed_bytes INTEGER NOT NULL DEFAULT 0,
    locked        INTEGER NOT NULL DEFAULT 0
) STRICT;
INSERT INTO vault (id, mark, entries, bytes) VALUES (1, '', 0, 0);
