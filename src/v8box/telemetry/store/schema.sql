-- name: pragmas
-- A power cut may take the last moments, never the file. Large pages: a run with its spans fits into one.
pragma page_size = 8192;
pragma journal_mode = wal;
pragma synchronous = normal;
pragma wal_autocheckpoint = 1000;
pragma temp_store = memory;
pragma cache_size = -8192;

-- name: create
-- Ids are 12 bytes that begin with milliseconds since 1970, so the primary key is the order in time. What is searched
-- for has a column; the other fields of a record are together in `rest`, named by `fields`. `rare` is what few runs
-- are: whatever is no http run with a status below 400 that ended well.
create table if not exists fields (kind text primary key, names text not null);
create table if not exists sources (
    id integer primary key,
    worker text not null,
    project text not null,
    environment text not null,
    unique (worker, project, environment)
);
create table if not exists words (id integer primary key, word text not null unique);
create table if not exists runs (
    id blob primary key,
    source integer not null,
    version integer not null,
    "trigger" integer not null,
    status integer not null,
    outcome integer not null,
    duration integer not null,
    rare integer not null,
    failed integer not null,
    path text not null,
    request_id text,
    error text,
    rest blob not null
) without rowid;
create index if not exists runs_by_source on runs (source, id);
create index if not exists runs_rare on runs (source, id) where rare;
create index if not exists runs_failed on runs (source, id) where failed;
create index if not exists runs_slow on runs (source, id) where duration >= 1000000;
create index if not exists runs_by_request on runs (request_id) where request_id is not null;
create table if not exists lines (
    id blob primary key,
    source integer not null,
    version integer not null,
    level integer not null,
    run blob,
    text text not null,
    thrown integer not null,
    fields text
) without rowid;
create index if not exists lines_by_source on lines (source, id);
create index if not exists lines_bad on lines (source, id) where level >= 2;
