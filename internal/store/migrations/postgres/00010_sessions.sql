-- +goose Up
CREATE TABLE sessions (
    hash    TEXT   NOT NULL PRIMARY KEY,
    token   TEXT   NOT NULL,
    created BIGINT NOT NULL,
    seen    BIGINT NOT NULL,
    expires BIGINT NOT NULL
);
CREATE INDEX sessions_expires ON sessions (expires);
