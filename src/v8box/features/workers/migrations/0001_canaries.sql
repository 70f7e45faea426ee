-- The canary of a deployment that is under way, or the last one there was.

create table canaries (
    project text not null,
    worker text not null,
    environment text not null,
    state text not null,
    body text not null,              -- JSON
    ended_at real,                   -- Unix time; null while it is under way
    primary key (project, worker, environment)
) strict;
