-- name: create_registry
-- Which databases there are: the server's admin API lists none. On the server, so that all nodes agree.
CREATE TABLE IF NOT EXISTS databases (
  project TEXT NOT NULL,
  name TEXT NOT NULL,
  node TEXT NOT NULL,
  created_at INTEGER NOT NULL DEFAULT (unixepoch()),
  PRIMARY KEY (project, name)
) WITHOUT ROWID

-- name: register
-- Notes a database before it is made: one that is noted and missing is an empty one, the other way round it is lost.
INSERT INTO databases (project, name, node) VALUES (?1, ?2, ?3) ON CONFLICT (project, name) DO NOTHING

-- name: forget
-- After a database was deleted.
DELETE FROM databases WHERE project = ?1 AND name = ?2

-- name: of_project
-- The names of a project's databases.
SELECT name FROM databases WHERE project = ?1 ORDER BY name

-- name: is_registered
-- One row if the database has been noted.
SELECT 1 FROM databases WHERE project = ?1 AND name = ?2

-- name: scratch_of_node
-- What this node left behind when it was last stopped, and what any node left behind a day ago.
SELECT project, name FROM databases
WHERE substr(name, 1, length(?1)) = ?1 AND (node = ?2 OR created_at < unixepoch() - 86400)

-- name: size
-- The bytes of a database's file.
SELECT (SELECT page_count FROM pragma_page_count) * (SELECT page_size FROM pragma_page_size)

-- name: is_primary_key
-- Whether `table.column, …` from SQLite's message about uniqueness are exactly a table's primary key.
SELECT count(*) FROM sqlite_schema AS s
WHERE s.type = 'table' AND substr(?1, 1, length(s.name) + 1) = s.name || '.' AND ?1 = (
  SELECT group_concat(s.name || '.' || name, ', ')
  FROM (SELECT name FROM pragma_table_info(s.name) WHERE pk > 0 ORDER BY pk)
)

-- name: probe
-- Nothing; its answer says how far replication has got.
SELECT 1
