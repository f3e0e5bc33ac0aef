-- +goose Up
CREATE TABLE sessions (
    hash    TEXT    NOT NULL PRIMARY KEY,
    token   TEXT    NOT NULL,
    created INTEGER NOT NULL,
    seen    INTEGER NOT NULL,
    expires INTEGER NOT NULL
) STRICT;
CREATE INDEX sessions_expires ON sessions (expires);
