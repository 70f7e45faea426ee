-- Buckets with counters, multipart uploads, and small contents inside the index.
-- Until here every object was in a bucket named `default`; now that is the one which the settings name.

UPDATE objects SET bucket = :default_bucket WHERE bucket = 'default';

CREATE TABLE buckets (
  project TEXT NOT NULL,
  name TEXT NOT NULL,
  created INTEGER NOT NULL, -- milliseconds since 1970
  quota INTEGER, -- bytes
  objects INTEGER NOT NULL DEFAULT 0,
  size INTEGER NOT NULL DEFAULT 0, -- bytes of all objects
  pending INTEGER NOT NULL DEFAULT 0, -- bytes of all parts of open uploads
  PRIMARY KEY (project, name)
) STRICT, WITHOUT ROWID;
INSERT INTO buckets (project, name, created, objects, size)
SELECT project, bucket, min(uploaded), count(*), sum(size) FROM objects GROUP BY project, bucket;

CREATE TRIGGER objects_added AFTER INSERT ON objects BEGIN
  UPDATE buckets SET objects = objects + 1, size = size + new.size WHERE project = new.project AND name = new.bucket;
END;
CREATE TRIGGER objects_changed AFTER UPDATE OF size ON objects BEGIN
  UPDATE buckets SET size = size - old.size + new.size WHERE project = new.project AND name = new.bucket;
END;
CREATE TRIGGER objects_removed AFTER DELETE ON objects BEGIN
  UPDATE buckets SET objects = objects - 1, size = size - old.size WHERE project = old.project AND name = old.bucket;
END;

-- Contents too small to be worth a file of their own. A content that is not here is a file.
CREATE TABLE contents (
  name TEXT NOT NULL UNIQUE, -- SHA-256, hexadecimal
  bytes BLOB NOT NULL
) STRICT;

-- What an object made of parts consists of. Its `content` names the assembly; copies of it share one.
CREATE TABLE pieces (
  assembly TEXT NOT NULL,
  number INTEGER NOT NULL,
  place INTEGER NOT NULL, -- bytes before it
  size INTEGER NOT NULL,
  content TEXT NOT NULL,
  PRIMARY KEY (assembly, number)
) STRICT, WITHOUT ROWID;
CREATE INDEX pieces_content ON pieces (content);

CREATE TABLE uploads (
  id TEXT PRIMARY KEY,
  project TEXT NOT NULL,
  bucket TEXT NOT NULL,
  key BLOB NOT NULL,
  started INTEGER NOT NULL, -- milliseconds since 1970
  touched INTEGER NOT NULL, -- when it began or last got a part
  http TEXT NOT NULL,
  custom TEXT NOT NULL
) STRICT, WITHOUT ROWID;
CREATE INDEX uploads_key ON uploads (project, bucket, key);
CREATE INDEX uploads_touched ON uploads (touched);

CREATE TABLE parts (
  upload TEXT NOT NULL REFERENCES uploads (id),
  number INTEGER NOT NULL,
  content TEXT NOT NULL,
  size INTEGER NOT NULL,
  etag TEXT NOT NULL,
  uploaded INTEGER NOT NULL,
  PRIMARY KEY (upload, number)
) STRICT, WITHOUT ROWID;
CREATE INDEX parts_content ON parts (content);

CREATE TRIGGER parts_added AFTER INSERT ON parts BEGIN
  UPDATE buckets SET pending = pending + new.size
  WHERE (project, name) = (SELECT project, bucket FROM uploads WHERE id = new.upload);
END;
CREATE TRIGGER parts_changed AFTER UPDATE OF size ON parts BEGIN
  UPDATE buckets SET pending = pending - old.size + new.size
  WHERE (project, name) = (SELECT project, bucket FROM uploads WHERE id = new.upload);
END;
CREATE TRIGGER parts_removed AFTER DELETE ON parts BEGIN
  UPDATE buckets SET pending = pending - old.size
  WHERE (project, name) = (SELECT project, bucket FROM uploads WHERE id = old.upload);
END;
