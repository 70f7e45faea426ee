"""Request bodies and answers of the Data API, in the words of the founding product (camelCase, as its clients send)."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import BaseModel, Field, StrictBool, StrictFloat, StrictInt, StrictStr

from v8box.api.routes import Shape
from v8box.features.database.conditions import MAX_CHARACTERS
from v8box.features.database.paging import DEFAULT_LIMIT, Order
from v8box.features.database.rows import MAX_INSERTED, MAX_LIMIT, MAX_OFFSET
from v8box.storage.migrations import MAX_MIGRATIONS, NAME

Value = Any
"""null, true, false, a number, a text, or {"base64": "…"}; `values.to_argument` checks it and says where it was."""
Data = Annotated[dict[str, Value], Field(max_length=500, examples=[{"name": "Ada", "age": 36}])]
Where = Annotated[str, Field(max_length=MAX_CHARACTERS, examples=["age > ? and name like ?"])]
WhereArgs = Annotated[list[Value], Field(max_length=1_000, examples=[[30, "A%"]])]
Limit = Annotated[int, Field(ge=1, le=MAX_LIMIT)]
Offset = Annotated[int, Field(ge=0, le=MAX_OFFSET)]


class NewDatabase(Shape):
    name: str = Field(examples=["crm"])


class ColumnDefinition(Shape):
    name: str
    type: str = ""
    primaryKey: bool = False
    autoIncrement: bool = False
    nullable: bool | None = None
    """As SQLite: nullable unless said otherwise; a primary key never is."""
    unique: bool = False
    default: StrictBool | StrictInt | StrictFloat | StrictStr | None = None


class TableDefinition(Shape):
    tableName: str
    columns: list[ColumnDefinition] = Field(min_length=1, max_length=500)


class Insertion(Shape):
    data: Data | Annotated[list[Data], Field(min_length=1, max_length=MAX_INSERTED)]


class Update(Shape):
    data: Data
    where: Where | None = None
    whereArgs: WhereArgs = Field(default_factory=list)


class UpdateOne(Shape):
    data: Data


class Deletion(Shape):
    where: Where | None = None
    whereArgs: WhereArgs = Field(default_factory=list)


class Search(Shape):
    where: Where | None = None
    whereArgs: WhereArgs = Field(default_factory=list)
    limit: Limit = DEFAULT_LIMIT
    offset: Offset = 0
    orderBy: str | None = None
    order: Order = "asc"
    count: bool = False
    cursor: str | None = Field(
        default=None,
        max_length=4_096,
        description="`next` of a page, or `previous` with `backwards`; not with `offset`.",
    )
    backwards: bool = Field(default=False, description="The rows before the cursor, or without one the last.")


class Query(Shape):
    query: str = Field(examples=["select * from users where id = ?"])
    args: list[Value] | dict[str, Value] = Field(default_factory=list)
    database: str | None = Field(default=None, description="Where the address names none; the default one if absent.")


class MigrationText(Shape):
    number: int = Field(ge=1, le=MAX_MIGRATIONS)
    name: str = Field(pattern=f"^{NAME.pattern}$", examples=["users"])
    sql: str
    down: str | None = None


class Migrate(Shape):
    migrations: list[MigrationText] = Field(max_length=MAX_MIGRATIONS)
    dryRun: bool = Field(default=False, description="Run them on a copy, and tell what they would do.")


class Rollback(Shape):
    steps: int = Field(default=1, ge=1, le=MAX_MIGRATIONS)
    dryRun: bool = False


# What comes back. These say so in the OpenAPI document; a test compares them with what really does.


class DatabaseEntry(BaseModel, extra="forbid"):
    name: str
    sizeBytes: int
    default: bool = Field(description="Whether this is the database that `global` names, too.")


class TableEntry(BaseModel, extra="forbid"):
    name: str
    type: Literal["table", "view", "virtual"]
    columns: int
    strict: bool
    withoutRowid: bool


class CreatedTable(BaseModel, extra="forbid"):
    tableName: str
    sql: str


class Dropped(BaseModel, extra="forbid"):
    deleted: str


class RowPage(BaseModel, extra="forbid"):
    columns: list[str]
    rows: list[dict[str, Any]]
    idColumn: str | None = Field(description="The column by which `rows/{id}` names a row: `rowid` if there is no key.")
    limit: int
    offset: int
    next: str | None = Field(description="The cursor after the last of these rows; null where there is nothing.")
    previous: str | None = Field(description="The cursor before the first of them.")
    total: int | None = Field(default=None, description="All rows that are meant; only with `count`.")
    totalIsExact: bool | None = Field(
        default=None, description="False: there are more; what a condition holds for is counted up to 100 000."
    )


class Inserted(BaseModel, extra="forbid"):
    rowsAffected: int
    lastInsertRowid: int | str | None


class Changed(BaseModel, extra="forbid"):
    rowsAffected: int


class QueryAnswer(BaseModel, extra="forbid"):
    columns: list[str]
    columnTypes: list[str]
    rows: list[dict[str, Any]]
    rowsAffected: int
    lastInsertRowid: int | str | None


class ColumnEntry(BaseModel, extra="forbid"):
    name: str
    type: str
    nullable: bool
    default: str | None
    primaryKey: int = Field(description="Its place in the primary key, from 1; 0 when it is not in it.")
    generated: bool


class IndexEntry(BaseModel, extra="forbid"):
    class Part(BaseModel, extra="forbid"):
        name: str | None = Field(description="null: an expression.")
        descending: bool

    name: str
    unique: bool
    origin: Literal["c", "u", "pk"] = Field(description="CREATE INDEX, a UNIQUE constraint, or the primary key.")
    partial: bool
    columns: list[Part]


class ForeignKeyEntry(BaseModel, extra="forbid"):
    table: str
    columns: list[str]
    references: list[str | None] = Field(description="null: that table's primary key.")
    onUpdate: str
    onDelete: str


class TableSchema(BaseModel, extra="forbid"):
    name: str
    type: Literal["table", "view", "virtual"]
    sql: str | None
    strict: bool
    withoutRowid: bool
    columns: list[ColumnEntry]
    indexes: list[IndexEntry]
    foreignKeys: list[ForeignKeyEntry]
    rowCount: int | None
    rowCountIsExact: bool
    error: str | None


class TriggerEntry(BaseModel, extra="forbid"):
    name: str
    table: str
    sql: str


class DatabaseSchema(BaseModel, extra="forbid"):
    tables: list[TableSchema]
    views: list[TableSchema]
    triggers: list[TriggerEntry]
    sizeBytes: int
    freeBytes: int
    maxBytes: int | None = Field(description="How large it may grow; beyond it, writes are refused as `SQLITE_FULL`.")


class AppliedEntry(BaseModel, extra="forbid"):
    number: int
    name: str
    checksum: str
    appliedAt: str
    reversible: bool


class SchemaChange(BaseModel, extra="forbid"):
    change: Literal["created", "changed", "dropped"]
    type: str
    name: str
    before: str | None
    after: str | None


class MigrationReport(BaseModel, extra="forbid"):
    dryRun: bool
    migrations: list[str] = Field(description="The files that were applied or undone, in that order.")
    schemaChanges: list[SchemaChange] | None = Field(description="What a dry run found; null otherwise.")
