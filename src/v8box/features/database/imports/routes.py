"""Importing over HTTP: …/import/preview looks at the beginning of a file, …/import takes all of it.

The file is written to the disk as it comes and read from there; rows are held a few hundred at a time.
"""

from __future__ import annotations

import asyncio
import io
from collections.abc import Awaitable, Callable
from contextlib import AsyncExitStack
from typing import Annotated, Any, Final

from fastapi import APIRouter, Query, Request, Response
from fastapi.exceptions import RequestValidationError
from pydantic import ValidationError

from v8box.api.access import Principal, ProjectHere, Role, Scope, needs
from v8box.api.audited import changes_nothing
from v8box.api.multipart import receive_upload
from v8box.api.operations import Operations, Progress
from v8box.api.routes import Envelope, router, success
from v8box.api.staging import Staging
from v8box.api.v1 import OperationInfo
from v8box.bindings.db.interface import DEFAULT_DATABASE, Databases, View
from v8box.bindings.interface import BindingError
from v8box.errors import BadRequest, PayloadTooLarge
from v8box.features.database.imports import work
from v8box.features.database.imports.formats import Format
from v8box.features.database.imports.plan import ImportOptions, Preview
from v8box.features.database.names import database_id

MAX_BYTES: Final = 2 * 1024**3
"""One file."""
_MAX_OPTIONS: Final = 256 * 1024
_WRITES: Final = needs(Role.DEVELOPER, Scope.DATA)
_BINARY: Final = {"type": "string", "format": "binary"}
_SAMPLE: Final[dict[str, Any]] = {
    "requestBody": {"required": True, "content": {"application/octet-stream": {"schema": _BINARY}}}
}
_FORM: Final[dict[str, Any]] = {
    "requestBody": {
        "required": True,
        "content": {
            "multipart/form-data": {
                "schema": {
                    "type": "object",
                    "properties": {
                        "options": {"type": "string", "description": "JSON: how it is imported, see ImportOptions."},
                        "file": {**_BINARY, "description": "CSV, JSON, JSON lines or SQL in UTF-8."},
                    },
                    "required": ["options", "file"],
                    "additionalProperties": False,
                }
            }
        },
    }
}
_Importer = Annotated[Principal, _WRITES]
Admit = Callable[[str, int], Awaitable[None]]
"""Whether a project may store so many bytes more. Raises what says why not."""


def build_router(databases: Databases, staging: Staging, operations: Operations, admit: Admit) -> APIRouter:
    """The routes that import."""
    routes = router("/admin/database", "database")
    base = "/databases/{database}/import"

    @routes.post(base + "/preview", response_model=Envelope[Preview], openapi_extra=_SAMPLE, dependencies=[_WRITES])
    @changes_nothing
    async def preview_import(
        project: ProjectHere,
        database: str,
        request: Request,
        format: Annotated[Format, Query()] = "csv",
        delimiter: Annotated[
            str | None, Query(pattern=r'^[^\r\n"]$', description="Of CSV; guessed if not said.")
        ] = None,
        header: Annotated[bool, Query(description="Whether the first line of a CSV names the columns.")] = True,
        whole: Annotated[bool, Query(description="Whether this is all of the file.")] = False,
    ) -> Response:
        """Columns with their types, and the first rows. The body is the beginning of the file, up to 1 MiB."""
        database_id(project, database)
        options = ImportOptions(format=format, delimiter=delimiter, header=header)
        sample = await _sample(request)
        found = await asyncio.to_thread(work.preview, io.BytesIO(sample), options, whole=whole)
        return success(found.model_dump(mode="json"))

    @routes.post(base, response_model=Envelope[OperationInfo], status_code=202, openapi_extra=_FORM)
    async def import_rows(who: _Importer, project: ProjectHere, database: str, request: Request) -> Response:
        """Adds the rows of a file to a table, all of them or none, as an operation: GET /api/v1/operations/{id} tells
        how far it is, DELETE stops it. Writers of the same database wait meanwhile. An error names the line."""
        known = database_id(project, database)
        if known.name != DEFAULT_DATABASE and not await databases.exists(known):
            raise BindingError("DATABASE_NOT_FOUND", f"there is no database {known.name}; `v8box db list` shows them")
        length = request.headers.get("content-length", "")
        await admit(project, int(length) if length.isdecimal() and len(length) < 16 else 0)
        async with AsyncExitStack() as stack:
            place = await stack.enter_async_context(staging.place())
            upload = await receive_upload(
                request, place.upload, max_bytes=MAX_BYTES, max_field_bytes=_MAX_OPTIONS, what="file"
            )
            if upload.file is None or upload.fields.keys() != {"options"}:
                raise BadRequest("The form has two fields: options (JSON), and file.")
            options = _parse(upload.fields["options"])
            if options.format != "sql" and not options.table:
                raise BadRequest("table: say into which one the rows go.")
            path, size = upload.file, upload.file.stat().st_size
            held = stack.pop_all()

            async def perform(progress: Progress) -> Any:
                def told(rows: int, read: int) -> None:
                    progress.step(f"{rows} rows")
                    progress.count(min(read, size), size)

                async with held:
                    done = await work.run(databases.open(known, View(admin=True)), path, options, told)
                return {"table": options.table, "rows": done.rows, "created": done.created}

            try:
                operation = await operations.start("database.import", project, who.actor, perform)
            except BaseException:
                await held.aclose()
                raise
            return success(OperationInfo.of(operation).model_dump(mode="json"), 202)
        raise AssertionError("the stack lets nothing pass")

    return routes


async def _sample(request: Request) -> bytes:
    body = bytearray()
    async for piece in request.stream():
        body += piece
        if len(body) > work.SAMPLE_BYTES:
            raise PayloadTooLarge(f"A preview looks at the first {work.SAMPLE_BYTES} bytes: send no more.")
    return bytes(body)


def _parse(text: str) -> ImportOptions:
    try:
        return ImportOptions.model_validate_json(text)
    except ValidationError as error:
        raise RequestValidationError(
            [{**fault, "loc": ("body", "options", *fault["loc"])} for fault in error.errors(include_url=False)]
        ) from error
