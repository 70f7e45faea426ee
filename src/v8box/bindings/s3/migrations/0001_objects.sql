-- The first index of the embedded store. One written before indexes had a number has these already.

CREATE TABLE IF NOT EXISTS objects (
  project TEXT NOT NULL,
  bucket TEXT NOT NULL,
  key BLOB NOT NULL, -- a BLOB: its order is that of bytes, and any character may be in one
  version TEXT NOT NULL,
  content TEXT NOT NULL, -- SHA-256, hexadecimal: the name of the content
  size INTEGER NOT NULL,
  etag TEXT NOT NULL,
  uploaded INTEGER NOT NULL, -- milliseconds since 1970
  http TEXT NOT NULL, -- JSON objects
  custom TEXT NOT NULL,
  PRIMARY KEY (project, bucket, key)
) STRICT, WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS objects_content ON objects (content);
