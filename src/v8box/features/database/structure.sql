-- The structure of a database, read through SQLite's table-valued pragmas: no name is pasted into SQL here.

-- name: tables
-- Tables, views and virtual tables; not SQLite's own, not the shadow tables of virtual ones, not our history.
select t.name, t.type, t.ncol, t.wr, t.strict, s.sql
from pragma_table_list as t
left join sqlite_schema as s on s.name = t.name and s.type in ('table', 'view')
where t.schema = 'main' and t.type in ('table', 'view', 'virtual')
  and t.name not like 'sqlite\_%' escape '\' and lower(t.name) <> '_v8box_migrations'
order by t.name collate nocase
limit ?

-- name: table
select t.name, t.type, t.wr
from pragma_table_list as t
where t.schema = 'main' and t.type in ('table', 'view', 'virtual') and t.name = ? collate nocase

-- name: columns
select name, type, "notnull", dflt_value, pk, hidden from pragma_table_xinfo(?) where hidden <> 1 order by cid

-- name: indexes
-- Of every table; an index on an expression has no column name there.
select t.name, i.name, i."unique", i.origin, i.partial, x.name, x."desc"
from pragma_table_list as t
join pragma_index_list(t.name) as i
join pragma_index_xinfo(i.name) as x
where t.schema = 'main' and t.type = 'table' and x.key = 1
  and t.name not like 'sqlite\_%' escape '\' and lower(t.name) <> '_v8box_migrations'
order by t.name collate nocase, i.seq, x.seqno

-- name: leading_index
select 1 from pragma_index_list(?) as i join pragma_index_xinfo(i.name) as x
where not i.partial and x.seqno = 0 and x.name = ? collate nocase limit 1

-- name: foreign_keys
select t.name, k.id, k.seq, k."table", k."from", k."to", k.on_update, k.on_delete
from pragma_table_list as t
join pragma_foreign_key_list(t.name) as k
where t.schema = 'main' and t.type = 'table'
  and t.name not like 'sqlite\_%' escape '\' and lower(t.name) <> '_v8box_migrations'
order by t.name collate nocase, k.id, k.seq

-- name: triggers
select name, tbl_name, sql from sqlite_schema where type = 'trigger' order by name collate nocase limit ?

-- name: size
select p.page_count * s.page_size, f.freelist_count * s.page_size, m.max_page_count * s.page_size
from pragma_page_count as p, pragma_page_size as s, pragma_freelist_count as f, pragma_max_page_count as m
