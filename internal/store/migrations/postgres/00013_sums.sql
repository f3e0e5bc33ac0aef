-- +goose Up
-- Checksums of what no hash of the tree covers: a row that has rotted is an
-- error to whoever reads it. Rows from before get theirs when the journal opens;
-- a process from before, which gives none, is refused.
ALTER TABLE streams ADD COLUMN sum BYTEA NOT NULL DEFAULT '';
ALTER TABLE streams ALTER COLUMN sum DROP DEFAULT;
ALTER TABLE commands ADD COLUMN sum BYTEA NOT NULL DEFAULT '';
ALTER TABLE commands ALTER COLUMN sum DROP DEFAULT;
ALTER TABLE checkpoints ADD COLUMN sum BYTEA NOT NULL DEFAULT '';
ALTER TABLE checkpoints ALTER COLUMN sum DROP DEFAULT;
-- The sum over all keys of one name and value: one that is missing is missed.
CREATE TABLE key_sums (
    name  TEXT COLLATE "C" NOT NULL,
    value TEXT COLLATE "C" NOT NULL,
    sum   BIGINT NOT NULL,
    PRIMARY KEY (name, value)
);
