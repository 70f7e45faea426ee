-- Who may sign in, with what, and what they may do. Times are Unix times in seconds.

create table users (
    id text primary key,
    name text not null unique,                    -- case-folded
    email text,
    password_hash text not null,                  -- argon2id, with its parameters
    password_is_temporary integer not null default 0,
    totp_secret blob,                             -- sealed; null: no second factor
    totp_confirmed integer not null default 0,    -- 0: enrolled, and no code has been shown yet
    totp_step integer,                            -- the time step of the last code that was taken: each works once
    disabled integer not null default 0,
    created_at real not null,
    seen_at real                                  -- exact to a minute
) strict, without rowid;

create table memberships (
    user_id text not null references users on delete cascade,
    project text not null,                        -- '*': everywhere, the box itself too
    role integer not null check (role between 1 and 4),
    primary key (user_id, project)
) strict, without rowid;

create index memberships_by_project on memberships (project);

create table recovery_codes (
    user_id text not null references users on delete cascade,
    code_hash blob not null,                      -- SHA-256: a code has 80 random bits, there is nothing to guess
    primary key (user_id, code_hash)
) strict, without rowid;

create table sessions (
    id text primary key,                          -- what lists call it
    secret_hash blob not null unique,             -- SHA-256 of what the cookie holds
    user_id text not null references users on delete cascade,
    created_at real not null,
    used_at real not null,                        -- exact to a minute
    address text,
    user_agent text
) strict, without rowid;

create index sessions_by_user on sessions (user_id, created_at);

create table personal_tokens (
    id text primary key,
    secret_hash blob not null,
    user_id text not null references users on delete cascade,
    label text not null,
    scopes text not null,                         -- a JSON list
    project text,                                 -- null: all that its user has a role in
    created_at real not null,
    expires_at real,                              -- null: never
    used_at real                                  -- exact to a minute
) strict, without rowid;

create index personal_tokens_by_user on personal_tokens (user_id, created_at);

create table login_failures (
    key text primary key,                         -- an address, or the hash of a user name
    failures integer not null,
    failed_at real not null
) strict, without rowid;
