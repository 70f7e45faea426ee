-- Data keys, each wrapped by a master key that is never in here.

create table data_keys (
    owner text not null,             -- a project; '' is the box itself
    number integer not null,         -- 1, 2, 3 …: the highest seals, the others only open
    master_key text not null,        -- the id of the key that wraps it
    wrapped blob not null,
    created_at text not null,        -- RFC 3339, UTC
    primary key (owner, number)
) strict;

create table master_key (
    only integer primary key check (only = 1),
    id text not null,                -- which one wraps the data keys; its fingerprint, not the key
    since text not null              -- RFC 3339, UTC
) strict;
