-- What is deployed. A version never changes and is kept; a deployment points at the live one; history only grows.

create table versions (
    project text not null,
    worker text not null,
    id text not null,
    manifest text not null,          -- JSON
    bundle_hash text not null,
    source_map_hash text,
    sources text not null,           -- JSON: path -> hash
    lock_hash text,
    created_at text not null,        -- RFC 3339, UTC
    primary key (project, worker, id)
) strict;

create table deployments (
    project text not null,
    environment text not null,
    worker text not null,
    version text not null,
    fingerprint text not null,       -- JSON: what the build depended on
    primary key (project, environment, worker),
    foreign key (project, worker, version) references versions (project, worker, id)
) strict;

create table history (
    number integer primary key autoincrement,
    project text not null,
    environment text not null,
    worker text not null,
    change text not null,
    version text not null,
    at text not null
) strict;

create index history_of_worker on history (project, environment, worker, number);

create table generation (
    only integer primary key check (only = 1),
    value integer not null
) strict;

insert into generation (only, value) values (1, 0);
