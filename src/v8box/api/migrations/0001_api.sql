-- What the admin API itself has to remember: answers to creates that may be sent again, and long work.

create table idempotency (
    key_hash blob primary key,       -- of the principal and the key that the client chose
    route text not null,             -- method, path and query
    body_hash blob not null,         -- keyed with the client's key, so that it tells nothing of the body
    state text not null check (state in ('running', 'done')),
    status integer,
    headers text,                    -- JSON
    body blob,                       -- null: not kept, since it holds a secret or is large
    size integer not null default 0,
    expires_at real not null         -- Unix time
) strict;

create index idempotency_by_age on idempotency (expires_at);

create table operations (
    id text primary key,             -- sorts by the time of the start
    kind text not null,
    project text,                    -- null: the box itself
    actor_kind text not null,
    actor_id text not null,
    actor_name text not null,
    state text not null check (state in ('running', 'succeeded', 'failed', 'cancelled')),
    started_at text not null,        -- RFC 3339, UTC
    ended_at text,
    progress text not null,          -- JSON: step, done, total
    result text,                     -- JSON
    problem text                     -- JSON: problem details
) strict, without rowid;

create index operations_by_project on operations (project, id);
