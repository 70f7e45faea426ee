"""`/api/v1/projects/{project}/saved-queries`: what the project's members keep to run again."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Annotated, Final

from fastapi import APIRouter, Path, Query, Request, Response
from pydantic import BaseModel, Field, field_validator

from v8box.api.access import Principal, Role, Scope, needs
from v8box.api.deployed import Project
from v8box.api.v1 import (
    Page,
    Paged,
    Shape,
    Time,
    answer,
    check_if_match,
    created,
    etag_of,
    no_content,
    router_v1,
)
from v8box.bindings.db.interface import DEFAULT_DATABASE, NAME, SCRATCH_PREFIX, DatabaseId, Databases
from v8box.errors import BadRequest, NotFound
from v8box.features.saved_queries.service import SavedQueries, SavedQuery

MAX_NAME: Final = 100
MAX_SQL: Final = 100_000

Reader = Annotated[Principal, needs(Role.VIEWER)]
Writer = Annotated[Principal, needs(Role.DEVELOPER, Scope.DATA)]
QueryId = Annotated[str, Path(max_length=64, description="The query's id.")]


class SavedQueryInfo(BaseModel):
    """SQL under a name, shared by the members of the project."""

    id: str
    database: str = Field(description="Which database it is for.")
    name: str
    sql: str
    created_at: Time
    created_by: str
    updated_at: Time
    updated_by: str

    @classmethod
    def of(cls, query: SavedQuery) -> SavedQueryInfo:
        return cls(
            id=query.id,
            database=query.database,
            name=query.name,
            sql=query.sql,
            created_at=datetime.fromtimestamp(query.created_at, UTC),
            created_by=query.created_by,
            updated_at=datetime.fromtimestamp(query.updated_at, UTC),
            updated_by=query.updated_by,
        )


class NewSavedQuery(Shape):
    """A query to keep."""

    database: str = Field(default=DEFAULT_DATABASE, max_length=63)
    name: str = Field(min_length=1, max_length=MAX_NAME, description="Unique in its database.")
    sql: str = Field(min_length=1, max_length=MAX_SQL)

    @field_validator("name")
    @classmethod
    def _name(cls, value: str) -> str:
        return _plain(value)


class SavedQueryChange(Shape):
    """What is to be another one; what is left out stays."""

    name: str | None = Field(default=None, min_length=1, max_length=MAX_NAME)
    sql: str | None = Field(default=None, min_length=1, max_length=MAX_SQL)

    @field_validator("name")
    @classmethod
    def _name(cls, value: str | None) -> str | None:
        return None if value is None else _plain(value)


def build_router(queries: SavedQueries, databases: Databases) -> APIRouter:
    """The routes on projects' saved queries."""
    routes = router_v1("/projects/{project}/saved-queries", "database")

    @routes.get("", response_model=Page[SavedQueryInfo])
    async def list_saved_queries(
        project: Project,
        _: Reader,
        page: Paged,
        database: Annotated[str | None, Query(max_length=63, description="Only those of this database.")] = None,
    ) -> Response:
        """The saved queries, by database and name."""
        found = await queries.list(project, None if database is None else _database(database))
        return answer(page.page_of_all(found, lambda each: (each.database, each.name), SavedQueryInfo.of))

    @routes.post("", response_model=SavedQueryInfo, status_code=201)
    async def create_saved_query(project: Project, who: Writer, body: NewSavedQuery) -> Response:
        """Keeps a query. It is not run."""
        database = _database(body.database)
        if database != DEFAULT_DATABASE and not await databases.exists(DatabaseId(project, database)):
            raise NotFound(f"There is no database called {database}: create it first.")
        made = SavedQueryInfo.of(await queries.create(project, database, body.name, body.sql, who.actor))
        return created(made, f"/projects/{project}/saved-queries/{made.id}", etag=etag_of(made))

    @routes.get("/{query_id}", response_model=SavedQueryInfo)
    async def show_saved_query(project: Project, query_id: QueryId, _: Reader) -> Response:
        """One of them."""
        info = SavedQueryInfo.of(await queries.get(project, query_id))
        return answer(info, headers={"etag": etag_of(info)})

    @routes.patch("/{query_id}", response_model=SavedQueryInfo)
    async def change_saved_query(
        request: Request, project: Project, query_id: QueryId, who: Writer, body: SavedQueryChange
    ) -> Response:
        """Changes its name, its SQL or both. `If-Match` guards what somebody else has saved meanwhile."""
        changed = await queries.change(
            project,
            query_id,
            name=body.name,
            text=body.sql,
            actor=who.actor,
            check=lambda before: check_if_match(request, etag_of(SavedQueryInfo.of(before))),
        )
        info = SavedQueryInfo.of(changed)
        return answer(info, headers={"etag": etag_of(info)})

    @routes.delete("/{query_id}", status_code=204)
    async def delete_saved_query(project: Project, query_id: QueryId, who: Writer) -> Response:
        """Deletes it."""
        await queries.delete(project, query_id, who.actor)
        return no_content()

    return routes


def _database(name: str) -> str:
    """`global` is the default one's other name."""
    if name == "global":
        return DEFAULT_DATABASE
    if not NAME.fullmatch(name) or name.startswith(SCRATCH_PREFIX):
        raise BadRequest("A database name has 1 to 63 of a-z, 0-9, - and _.")
    return name


def _plain(name: str) -> str:
    if name != name.strip() or any(ord(sign) < 32 or ord(sign) == 127 for sign in name):
        raise ValueError("has no blanks at its ends, and no control characters")
    return name
