-- Access keys of the S3 API. Their secrets are not here: they are derived from the id and the box's key file.

create table s3_keys (
    id text primary key,
    project text not null,
    label text not null,
    buckets text,                    -- JSON: names; null is every bucket of the project
    permissions text not null,       -- JSON: of read, write, list
    created integer not null,        -- all times are milliseconds since 1970
    expires integer,
    last_used integer,
    revoked integer
) strict, without rowid;

create index s3_keys_project on s3_keys (project, created);
