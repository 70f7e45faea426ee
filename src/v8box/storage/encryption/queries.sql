-- name: all
select owner, number, master_key, wrapped from data_keys

-- name: master_keys
-- The ids of those that wrap anything.
select distinct master_key from data_keys

-- name: add
insert into data_keys (owner, number, master_key, wrapped, created_at)
values (:owner, :number, :master_key, :wrapped, :at)

-- name: newest
select coalesce(max(number), 0) from data_keys where owner = :owner

-- name: rewrap
update data_keys set master_key = :master_key, wrapped = :wrapped where owner = :owner and number = :number

-- name: forget
delete from data_keys where owner = :owner

-- name: master_key
select id, since from master_key

-- name: set_master_key
insert into master_key (only, id, since) values (1, :id, :at)
on conflict (only) do update set id = excluded.id, since = excluded.since where id <> excluded.id
