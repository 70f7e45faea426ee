"""Where state is kept: SQL databases (`database`), content-addressed bytes (`blobs`), named SQL (`sql`), and the
steps by which a schema grows (`migrations`)."""

from v8box.storage.blobs import BlobMissing, Blobs, FolderBlobs
from v8box.storage.database import Database, DatabaseError, Row, Transaction, Value
from v8box.storage.migrations import Migration, load_migrations
from v8box.storage.sql import Queries, load_queries

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
    "Value",
    "load_migrations",
    "load_queries",
]
