create table database_tokens (
    id text primary key,
    project text not null,
    databases text,                 -- a JSON list of names; null: all of the project
    access text not null check (access in ('read', 'write')),
    label text not null,
    secret_hash blob not null,      -- SHA-256 of the secret, which has 256 random bits: nothing to guess, no salt needed
    created_at real not null,       -- Unix time, as all here
    expires_at real,                -- null: never
    used_at real                    -- the last use, exact to a minute; null: never
) strict, without rowid;
