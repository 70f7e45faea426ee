-- Who changed what. Only ever grows; each hash covers the entry and the hash before it.

create table audit (
    number integer primary key,      -- 1, 2, 3 …: a gap is an entry that was taken out
    at text not null,                -- RFC 3339, UTC
    project text,                    -- null: the box itself
    actor_kind text not null,
    actor_id text not null,
    actor_name text not null,
    address text,
    request_id text,
    action text not null,
    resource text not null,
    before text,                     -- JSON, secrets masked
    after text,                      -- JSON, secrets masked
    previous text not null,
    hash text not null
) strict;

create index audit_by_project on audit (project, number);
create index audit_by_resource on audit (resource, number);
