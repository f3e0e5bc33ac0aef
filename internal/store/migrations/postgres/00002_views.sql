-- +goose Up
CREATE TABLE view_releases (
    id       TEXT NOT NULL PRIMARY KEY,
    position BIGINT NOT NULL,
    service TEXT NOT NULL,
    entry    BYTEA NOT NULL
);
CREATE UNIQUE INDEX view_releases_position ON view_releases (position);
CREATE INDEX view_releases_service ON view_releases (service, position);
CREATE TABLE view_decisions (
    id       TEXT NOT NULL PRIMARY KEY,
    position BIGINT NOT NULL,
    release_id TEXT NOT NULL,
    service TEXT NOT NULL,
    environment TEXT NOT NULL,
    verdict TEXT NOT NULL,
    entry    BYTEA NOT NULL
);
CREATE UNIQUE INDEX view_decisions_position ON view_decisions (position);
CREATE INDEX view_decisions_release_id ON view_decisions (release_id, position);
CREATE INDEX view_decisions_service ON view_decisions (service, position);
CREATE INDEX view_decisions_environment ON view_decisions (environment, position);
CREATE INDEX view_decisions_verdict ON view_decisions (verdict, position);
CREATE TABLE view_people (
    id       TEXT NOT NULL PRIMARY KEY,
    position BIGINT NOT NULL,
    entry    BYTEA NOT NULL
);
CREATE TABLE view_freezes (
    id       TEXT NOT NULL PRIMARY KEY,
    position BIGINT NOT NULL,
    until BIGINT NOT NULL,
    lifted BIGINT NOT NULL,
    entry    BYTEA NOT NULL
);
CREATE UNIQUE INDEX view_freezes_position ON view_freezes (position);
CREATE TABLE view_deployments (
    id       TEXT NOT NULL PRIMARY KEY,
    position BIGINT NOT NULL,
    service TEXT NOT NULL,
    environment TEXT NOT NULL,
    authorised BIGINT NOT NULL,
    entry    BYTEA NOT NULL
);
CREATE UNIQUE INDEX view_deployments_position ON view_deployments (position);
CREATE INDEX view_deployments_service ON view_deployments (service, position);
CREATE INDEX view_deployments_environment ON view_deployments (environment, position);
CREATE TABLE view_permits (
    id       TEXT NOT NULL PRIMARY KEY,
    position BIGINT NOT NULL,
    release_id TEXT NOT NULL,
    entry    BYTEA NOT NULL
);
CREATE UNIQUE INDEX view_permits_position ON view_permits (position);
CREATE INDEX view_permits_release_id ON view_permits (release_id, position);
CREATE TABLE view_tokens (
    id       TEXT NOT NULL PRIMARY KEY,
    position BIGINT NOT NULL,
    subject TEXT NOT NULL,
    entry    BYTEA NOT NULL
);
CREATE UNIQUE INDEX view_tokens_position ON view_tokens (position);
CREATE INDEX view_tokens_subject ON view_tokens (subject, position);
CREATE TABLE view_machines (
    id       TEXT NOT NULL PRIMARY KEY,
    position BIGINT NOT NULL,
    name TEXT COLLATE "C" NOT NULL,
    entry    BYTEA NOT NULL
);
CREATE INDEX view_machines_name ON view_machines (name);
CREATE TABLE view_services (
    id       TEXT NOT NULL PRIMARY KEY,
    position BIGINT NOT NULL,
    name TEXT COLLATE "C" NOT NULL,
    entry    BYTEA NOT NULL
);
CREATE INDEX view_services_name ON view_services (name);
CREATE TABLE view_environments (
    id       TEXT NOT NULL PRIMARY KEY,
    position BIGINT NOT NULL,
    name TEXT COLLATE "C" NOT NULL,
    entry    BYTEA NOT NULL
);
CREATE INDEX view_environments_name ON view_environments (name);
CREATE TABLE view_activations (
    id       TEXT NOT NULL PRIMARY KEY,
    position BIGINT NOT NULL,
    entry    BYTEA NOT NULL
);
CREATE UNIQUE INDEX view_activations_position ON view_activations (position);
CREATE TABLE view_notes (
    view     TEXT NOT NULL,
    position BIGINT NOT NULL,
    id       TEXT NOT NULL,
    kind     TEXT NOT NULL,
    fields   BYTEA NOT NULL,
    PRIMARY KEY (view, position)
);
CREATE INDEX view_notes_id ON view_notes (view, id, position);
