-- +goose Up
-- Checksums of what no hash of the tree covers: a row that has rotted is an
-- error to whoever reads it. Rows from before get theirs when the journal opens.
ALTER TABLE streams ADD COLUMN sum BLOB NOT NULL DEFAULT x'';
ALTER TABLE commands ADD COLUMN sum BLOB NOT NULL DEFAULT x'';
ALTER TABLE checkpoints ADD COLUMN sum BLOB NOT NULL DEFAULT x'';
-- The sum over all keys of one name and value: one that is missing is missed.
CREATE TABLE key_sums (
    name  TEXT    NOT NULL,
    value TEXT    NOT NULL,
    sum   INTEGER NOT NULL,
    PRIMARY KEY (name, value)
) STRICT, WITHOUT ROWID;
