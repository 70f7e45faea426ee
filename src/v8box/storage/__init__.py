"""Where state is kept: SQL databases (`database`), content-addressed bytes (`blobs`), named SQL (`sql`)."""

from v8box.storage.blobs import BlobMissing, Blobs, FolderBlobs
from v8box.storage.database import Database, DatabaseError, Row, Transaction
from v8box.storage.sql import Migration, Queries, load_migrations, load_queries

__all__ = [
    "BlobMissing",
    "Blobs",
    "Database",
    "DatabaseError",
    "FolderBlobs",
    "Migration",
    "Queries",
    "Row",
    "Transaction",
    "load_migrations",
    "load_queries",
]
