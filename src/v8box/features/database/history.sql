-- The history of a user's database, kept in that database, so that a copy of it knows where it stands.

-- name: exists
select 1 from sqlite_schema where type = 'table' and name = '_v8box_migrations'

-- name: create
create table if not exists _v8box_migrations (
    number integer primary key,
    name text not null,
    checksum text not null,
    down text,
    applied_at text not null default (strftime('%Y-%m-%dT%H:%M:%fZ', 'now'))
) strict

-- name: applied
select number, name, checksum, applied_at, down from _v8box_migrations order by number

-- name: record
insert into _v8box_migrations (number, name, checksum, down) values (?, ?, ?, ?)

-- name: forget
delete from _v8box_migrations where number = ?

-- name: structure
select type, name, sql from sqlite_schema
where name not like 'sqlite\_%' escape '\' and tbl_name <> '_v8box_migrations'
order by type, name
