-- The queries of the embedded object store's index; `migrations/` has its tables.

-- name: find
SELECT version, content, size, etag, uploaded, http, custom FROM objects WHERE project = ?1 AND bucket = ?2 AND key = ?3;

-- name: find_with_bytes
-- The same, and the content itself where it is kept in the index.
SELECT version, content, size, etag, uploaded, http, custom, bytes
FROM objects LEFT JOIN contents ON contents.name = objects.content
WHERE project = ?1 AND bucket = ?2 AND key = ?3;

-- name: save
INSERT INTO objects (project, bucket, key, version, content, size, etag, uploaded, http, custom)
VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10)
ON CONFLICT DO UPDATE SET version = excluded.version, content = excluded.content, size = excluded.size,
  etag = excluded.etag, uploaded = excluded.uploaded, http = excluded.http, custom = excluded.custom;

-- name: delete
DELETE FROM objects WHERE project = ?1 AND bucket = ?2 AND key = ?3 RETURNING content;

-- name: list
SELECT key, version, content, size, etag, uploaded, http, custom FROM objects
WHERE project = ?1 AND bucket = ?2 AND key >= ?3 ORDER BY key;

-- name: is_used
-- Whether anything still consists of a content.
SELECT EXISTS (SELECT 1 FROM objects WHERE content = ?1)
  OR EXISTS (SELECT 1 FROM pieces WHERE content = ?1)
  OR EXISTS (SELECT 1 FROM parts WHERE content = ?1);

-- name: add_content
INSERT INTO contents (name, bytes) VALUES (?1, ?2) ON CONFLICT DO NOTHING;

-- name: delete_content
DELETE FROM contents WHERE name = ?1;

-- name: some_contents
-- A stretch of the contents in the index, for the sweep.
SELECT rowid, name FROM contents WHERE rowid > ?1 ORDER BY rowid LIMIT ?2;

-- name: pieces_within
-- The pieces of an assembly that reach into a range, from ?2 up to ?3.
SELECT pieces.content, place, size, bytes FROM pieces LEFT JOIN contents ON contents.name = pieces.content
WHERE assembly = ?1 AND place + size > ?2 AND place < ?3 ORDER BY number;

-- name: delete_pieces
DELETE FROM pieces WHERE assembly = ?1 RETURNING content;

-- name: bucket
SELECT name, created, objects, size, quota FROM buckets WHERE project = ?1 AND name = ?2;

-- name: buckets
SELECT name, created, objects, size, quota FROM buckets WHERE project = ?1 ORDER BY name;

-- name: add_bucket
INSERT INTO buckets (project, name, created, quota) VALUES (?1, ?2, ?3, ?4) ON CONFLICT DO NOTHING RETURNING name;

-- name: count_buckets
SELECT count(*) FROM buckets WHERE project = ?1;

-- name: set_quota
UPDATE buckets SET quota = ?3 WHERE project = ?1 AND name = ?2 RETURNING name;

-- name: delete_bucket
DELETE FROM buckets WHERE project = ?1 AND name = ?2 RETURNING name;

-- name: usage
-- A bucket's quota and bytes, and its project's bytes and objects; parts of open uploads count.
SELECT
  (SELECT quota FROM buckets WHERE project = ?1 AND name = ?2),
  (SELECT size + pending FROM buckets WHERE project = ?1 AND name = ?2),
  sum(size + pending),
  sum(objects)
FROM buckets WHERE project = ?1;

-- name: add_upload
INSERT INTO uploads (id, project, bucket, key, started, touched, http, custom) VALUES (?1, ?2, ?3, ?4, ?5, ?5, ?6, ?7);

-- name: count_uploads
SELECT count(*) FROM uploads WHERE project = ?1 AND bucket = ?2;

-- name: upload
SELECT http, custom FROM uploads WHERE id = ?1 AND project = ?2 AND bucket = ?3 AND key = ?4;

-- name: uploads
SELECT key, id, started FROM uploads WHERE project = ?1 AND bucket = ?2 AND key >= ?3 ORDER BY key, started, id;

-- name: uploads_of_bucket
SELECT id FROM uploads WHERE project = ?1 AND bucket = ?2;

-- name: old_uploads
SELECT id FROM uploads WHERE touched < ?1 ORDER BY touched LIMIT ?2;

-- name: touch_upload
UPDATE uploads SET touched = ?2 WHERE id = ?1;

-- name: delete_upload
DELETE FROM uploads WHERE id = ?1;

-- name: part
SELECT content, size, etag FROM parts WHERE upload = ?1 AND number = ?2;

-- name: parts
SELECT number, etag, size, uploaded FROM parts WHERE upload = ?1 ORDER BY number;

-- name: save_part
INSERT INTO parts (upload, number, content, size, etag, uploaded) VALUES (?1, ?2, ?3, ?4, ?5, ?6)
ON CONFLICT DO UPDATE SET content = excluded.content, size = excluded.size, etag = excluded.etag,
  uploaded = excluded.uploaded;

-- name: delete_parts
DELETE FROM parts WHERE upload = ?1 RETURNING content;

-- name: add_piece
INSERT INTO pieces (assembly, number, place, size, content) VALUES (?1, ?2, ?3, ?4, ?5);
