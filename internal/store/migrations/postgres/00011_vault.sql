-- +goose Up
-- What the vault keeps, wherever it keeps it: a row stands before the bytes do,
-- and goes after them.
CREATE TABLE vault_entries (
    digest     TEXT   NOT NULL PRIMARY KEY,
    size       BIGINT NOT NULL,
    created    BIGINT NOT NULL,
    put        BIGINT NOT NULL,             -- the newest put; it names that put as well
    claimed    BIGINT NOT NULL DEFAULT 0,   -- since when a sweep is removing it
    flaw       TEXT   NOT NULL DEFAULT '',  -- what reading it last found: rotten, missing
    lock_mode  TEXT   NOT NULL DEFAULT '',  -- of its retention lock, as read back
    lock_until BIGINT NOT NULL DEFAULT 0,
    lock_hold  BIGINT NOT NULL DEFAULT 0
);
CREATE INDEX vault_entries_flaw ON vault_entries (flaw) WHERE flaw <> '';
-- One row: which vault it is, how much is in it, and what the last sweep found.
CREATE TABLE vault (
    id            BIGINT NOT NULL PRIMARY KEY CHECK (id = 1),
    mark          TEXT   NOT NULL,
    entries       BIGINT NOT NULL,
    bytes         BIGINT NOT NULL,
    swept         BIGINT NOT NULL DEFAULT 0,
    orphans       BIGINT NOT NULL DEFAULT 0,
    orphan_bytes  BIGINT NOT NULL DEFAULT 0,
    oldest        BIGINT NOT NULL DEFAULT 0,
    removed       BIGINT NOT NULL DEFAULT 0,
    removed_bytes BIGINT NOT NULL DEFAULT 0,
    locked        BIGINT NOT NULL DEFAULT 0
);
INSERT INTO vault (id, mark, entries, bytes) VALUES (1, '', 0, 0);
