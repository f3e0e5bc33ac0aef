-- +goose Up
CREATE TABLE head (
    id     BIGINT PRIMARY KEY CHECK (id = 1),
    origin TEXT    NOT NULL,
    size   BIGINT NOT NULL,
    time   BIGINT NOT NULL
);
CREATE TABLE facts (
    position BIGINT PRIMARY KEY,
    stream   TEXT    NOT NULL,
    version  BIGINT NOT NULL,
    header   BYTEA  NOT NULL,
    body     BYTEA  NOT NULL,
    private  BYTEA  NOT NULL
);
CREATE UNIQUE INDEX facts_stream ON facts (stream, version);
CREATE TABLE hashes (
    node BIGINT PRIMARY KEY,
    hash BYTEA  NOT NULL
);
CREATE TABLE commands (
    id      TEXT    NOT NULL PRIMARY KEY,
    request BYTEA  NOT NULL,
    first   BIGINT NOT NULL,
    next    BIGINT NOT NULL,
    time    BIGINT NOT NULL,
    result  BYTEA
);
CREATE TABLE parts (
    digest BYTEA NOT NULL PRIMARY KEY,
    body   BYTEA NOT NULL
);
CREATE TABLE checkpoints (
    size BIGINT PRIMARY KEY,
    note TEXT    NOT NULL,
    time BIGINT NOT NULL
);
CREATE TABLE streams (
    stream  TEXT    NOT NULL PRIMARY KEY,
    version BIGINT NOT NULL,
    fold    BIGINT NOT NULL,
    state   BYTEA
);
CREATE TABLE keys (
    kind   TEXT    NOT NULL,
    name   TEXT    NOT NULL,
    value  TEXT    NOT NULL,
    stream TEXT    NOT NULL,
    since  BIGINT NOT NULL,
    until  BIGINT NOT NULL,
    PRIMARY KEY (name, value, since, stream, kind)
);
CREATE UNIQUE INDEX keys_unique ON keys (name, value) WHERE kind = 'unique';
CREATE INDEX keys_stream ON keys (stream);
CREATE TABLE views (
    name     TEXT    NOT NULL PRIMARY KEY,
    number   BIGINT NOT NULL,
    position BIGINT NOT NULL,
    stale    TEXT    NOT NULL
);
CREATE TABLE leases (
    name   TEXT    NOT NULL PRIMARY KEY,
    holder TEXT    NOT NULL,
    until  BIGINT NOT NULL
);
CREATE TABLE blobs (
    digest  TEXT    NOT NULL PRIMARY KEY,
    size    BIGINT NOT NULL,
    body    BYTEA  NOT NULL,
    created BIGINT NOT NULL
);
