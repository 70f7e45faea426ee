-- Which migrations a database of the platform's own has seen, by the part of the box they belong to.

-- name: create
create table if not exists migrations (
    scope text not null, number integer not null, name text not null, checksum text not null,
    applied_at text not null default (strftime('%Y-%m-%dT%H:%M:%fZ')),
    primary key (scope, number)
) strict, without rowid

-- name: applied
select number, name, checksum, applied_at from migrations where scope = ? order by number

-- name: record
insert into migrations (scope, number, name, checksum) values (?, ?, ?, ?)
