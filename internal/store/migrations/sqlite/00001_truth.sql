-- +goose Up
CREATE TABLE head (
    id     INTEGER PRIMARY KEY CHECK (id = 1),
    origin TEXT    NOT NULL,
    size   INTEGER NOT NULL,
    time   INTEGER NOT NULL
) STRICT;
CREATE TABLE facts (
    position INTEGER PRIMARY KEY,
    stream   TEXT    NOT NULL,
    version  INTEGER NOT NULL,
    header   BLOB    NOT NULL,
    body     BLOB    NOT NULL,
    private  BLOB    NOT NULL
) STRICT;
CREATE UNIQUE INDEX facts_stream ON facts (stream, version);
CREATE TABLE hashes (
    node INTEGER PRIMARY KEY,
    hash BLOB    NOT NULL
) STRICT;
CREATE TABLE commands (
    id      TEXT    NOT NULL PRIMARY KEY,
    request BLOB    NOT NULL,
    first   INTEGER NOT NULL,
    next    INTEGER NOT NULL,
    time    INTEGER NOT NULL,
    result  BLOB
) STRICT;
CREATE TABLE parts (
    digest BLOB NOT NULL PRIMARY KEY,
    body   BLOB NOT NULL
) STRICT;
CREATE TABLE checkpoints (
    size INTEGER PRIMARY KEY,
    note TEXT    NOT NULL,
    time INTEGER NOT NULL
) STRICT;
CREATE TABLE streams (
    stream  TEXT    NOT NULL PRIMARY KEY,
    version INTEGER NOT NULL,
    fold    INTEGER NOT NULL,
    state   BLOB
) STRICT;
CREATE TABLE keys (
    kind   TEXT    NOT NULL,
    name   TEXT    NOT NULL,
    value  TEXT    NOT NULL,
    stream TEXT    NOT NULL,
    since  INTEGER NOT NULL,
    until  INTEGER NOT NULL,
    PRIMARY KEY (name, value, since, stream, kind)
) STRICT, WITHOUT ROWID;
CREATE UNIQUE INDEX keys_unique ON keys (name, value) WHERE kind = 'unique';
CREATE INDEX keys_stream ON keys (stream);
CREATE TABLE views (
    name     TEXT    NOT NULL PRIMARY KEY,
    number   INTEGER NOT NULL,
    position INTEGER NOT NULL,
    stale    TEXT    NOT NULL
) STRICT;
CREATE TABLE leases (
    name   TEXT    NOT NULL PRIMARY KEY,
    holder TEXT    NOT NULL,
    until  INTEGER NOT NULL
) STRICT;
CREATE TABLE blobs (
    digest  TEXT    NOT NULL PRIMARY KEY,
    size    INTEGER NOT NULL,
    body    BLOB    NOT NULL,
    created INTEGER NOT NULL
) STRICT;
