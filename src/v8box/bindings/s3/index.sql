-- The index of the embedded object store. Keys are BLOBs: their order is that of bytes, and any character may be in one.

-- name: schema
CREATE TABLE IF NOT EXISTS objects (
  project TEXT NOT NULL,
  bucket TEXT NOT NULL,
  key BLOB NOT NULL,
  version TEXT NOT NULL,
  content TEXT NOT NULL, -- SHA-256, hexadecimal: the name of the blob's file
  size INTEGER NOT NULL,
  etag TEXT NOT NULL,
  uploaded INTEGER NOT NULL, -- milliseconds since 1970
  http TEXT NOT NULL, -- JSON objects
  custom TEXT NOT NULL,
  PRIMARY KEY (project, bucket, key)
) STRICT, WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS objects_content ON objects (content);

-- name: find
SELECT version, content, size, etag, uploaded, http, custom FROM objects WHERE project = ?1 AND bucket = ?2 AND key = ?3;

-- name: save
INSERT OR REPLACE INTO objects (project, bucket, key, version, content, size, etag, uploaded, http, custom)
VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10);

-- name: delete
DELETE FROM objects WHERE project = ?1 AND bucket = ?2 AND key = ?3 RETURNING content;

-- name: is_used
SELECT EXISTS (SELECT 1 FROM objects WHERE content = ?1);

-- name: list
SELECT key, version, content, size, etag, uploaded, http, custom FROM objects
WHERE project = ?1 AND bucket = ?2 AND key >= ?3 ORDER BY key;
