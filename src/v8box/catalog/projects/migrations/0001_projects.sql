-- Tenants: who owns workers, databases, buckets, variables. And what each has used, day by day.

create table projects (
    name text primary key,
    title text not null,             -- for people
    quotas text not null,            -- JSON: those of its own, null for no bound; the rest are the settings'
    state text not null check (state in ('active', 'deleting')),
    created_at text not null         -- RFC 3339, UTC
) strict, without rowid;

insert into projects (name, title, quotas, state, created_at)
values ('default', 'Default', '{}', 'active', strftime('%Y-%m-%dT%H:%M:%fZ', 'now'));

create table usage (
    project text not null,
    day integer not null,            -- days since 1970, UTC
    requests integer not null,
    cpu_seconds real not null,
    primary key (project, day)
) strict, without rowid;

create index usage_by_day on usage (day);
