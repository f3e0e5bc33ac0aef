-- +goose Up
-- How far each witness and each place has come with the journal's checkpoints.
CREATE TABLE publications (
    target  TEXT    NOT NULL PRIMARY KEY,
    size    BIGINT NOT NULL DEFAULT 0,  -- of the newest checkpoint that it has
    time    BIGINT NOT NULL DEFAULT 0,  -- when it took it, or said that it has it
    failure TEXT    NOT NULL DEFAULT '', -- of the newest try; empty where it went well
    code    TEXT    NOT NULL DEFAULT '', -- what it has shown against this journal; empty for nothing
    shown   TEXT    NOT NULL DEFAULT ''
);
