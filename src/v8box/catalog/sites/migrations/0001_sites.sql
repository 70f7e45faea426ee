-- Static sites. A release never changes; going live and rolling back move a pointer.

create table sites (
    name text not null primary key,  -- a label of the domain: one name in the whole box
    project text not null,
    live text,                       -- the key of the live release, null before the first
    number integer not null,         -- counts the changes of `live`; for If-Match
    settings text not null,          -- JSON: what people set, beside what the release's own files say
    fingerprint text not null,       -- of the folder that it came from; empty for none
    created_at text not null,        -- RFC 3339, UTC
    changed_at text not null
) strict;

create table releases (
    site text not null references sites (name) on delete cascade,
    number integer not null,         -- 1, 2, 3 …, never given twice
    id text not null unique,         -- random: its address is `<id>--<site>`, and nobody guesses it
    key text not null,               -- of its blob; compressed files make another one of the same release
    files integer not null,
    bytes integer not null,
    created_at text not null,
    created_by text not null,
    message text not null,
    pinned integer not null default 0,
    report text not null,            -- JSON: lines that were ignored, warnings, bytes saved
    primary key (site, number)
) strict;

create index releases_by_key on releases (site, key);

create table site_numbers (
    site text not null primary key,  -- stays when the site is deleted
    value integer not null
) strict;

create table previews (
    site text not null references sites (name) on delete cascade,
    label text not null,
    release integer not null,
    password_hash text,              -- null: open to all who know the address
    expires_at text,                 -- null: until it is removed
    created_at text not null,
    primary key (site, label),
    foreign key (site, release) references releases (site, number)
) strict;

create table domains (
    host text not null primary key,  -- lower case, punycode
    site text not null references sites (name) on delete cascade,
    token text not null,             -- what proves that the host is the owner's
    verified_at text,                -- null: not yet
    created_at text not null
) strict;

create table site_history (
    id integer primary key autoincrement,
    site text not null,
    number integer not null,
    change text not null,
    release integer not null,
    at text not null,
    made_by text not null,
    message text not null
) strict;

create index history_of_site on site_history (site, id);
