"""An upload on its way to the disk: a form with a file, or the file alone. Bounded, and never held in memory."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass, field
from io import BufferedWriter
from pathlib import Path
from typing import Final

from python_multipart.exceptions import FormParserError
from python_multipart.multipart import MultipartParser, parse_options_header
from starlette.requests import ClientDisconnect, Request

from v8box.errors import BadRequest, PayloadTooLarge, V8BoxError

MAX_FIELDS: Final = 20
MAX_FIELD_BYTES: Final = 8 * 1024
_MAX_HEADER_BYTES: Final = 4 * 1024
_WHOLE: Final = frozenset(
    {"application/zip", "application/gzip", "application/x-gzip", "application/x-tar+gzip", "application/octet-stream"}
)


class NoUpload(V8BoxError):
    """Send a form (multipart/form-data) with the archive as its field `file`, or the archive as it is
    (Content-Type: application/zip or application/gzip)."""

    status = 415
    code = "unsupported_media_type"


@dataclass(frozen=True, slots=True)
class Upload:
    """What arrived: the fields of the form, and where the file is."""

    file: Path | None
    fields: Mapping[str, str]


async def receive_upload(
    request: Request, place: Path, *, max_bytes: int, max_field_bytes: int = MAX_FIELD_BYTES, what: str = "archive"
) -> Upload:
    """Writes the file of the request to `place`. `what` it is called in refusals. Raises `NoUpload`, `BadRequest`,
    `PayloadTooLarge`."""
    kind, options = parse_options_header(request.headers.get("content-type"))
    if kind == b"multipart/form-data":
        boundary = options.get(b"boundary", b"")
        if not 1 <= len(boundary) <= 70:
            raise BadRequest("The Content-Type of the form has no boundary.")
        return await _receive_form(request, _Form(_File(place, max_bytes, what), boundary, max_field_bytes))
    if kind.decode("latin-1") not in _WHOLE:
        raise NoUpload
    with _File(place, max_bytes, what) as file:
        async for chunk in request.stream():
            await file.take(chunk)
    return Upload(place, {})


async def _receive_form(request: Request, form: _Form) -> Upload:
    with form.file:
        try:
            async for chunk in request.stream():
                form.parser.write(chunk)
                await form.write_out()
            form.parser.finalize()
        except ClientDisconnect:
            raise
        except FormParserError as error:
            raise BadRequest(f"The form cannot be read: {str(error)[:100]}") from error
    if not form.ended:
        raise BadRequest("The form was cut off.")
    return Upload(form.file.place if form.has_file else None, form.fields)


class _File:
    """The file, opened at its first byte, written in a thread."""

    def __init__(self, place: Path, max_bytes: int, what: str) -> None:
        self.place = place
        self._max_bytes = max_bytes
        self._what = what
        self._size = 0
        self._file: BufferedWriter | None = None

    def __enter__(self) -> _File:
        self._file = open(self.place, "wb")
        return self

    def __exit__(self, *_: object) -> None:
        if self._file is not None:
            self._file.close()

    async def take(self, data: bytes) -> None:
        self._size += len(data)
        if self._size > self._max_bytes:
            raise PayloadTooLarge(f"The {self._what} is larger than {self._max_bytes // 1_048_576} MB.")
        if data and self._file is not None:
            await asyncio.to_thread(self._file.write, data)


@dataclass(slots=True)
class _Part:
    """The part of the form that is being read."""

    header: bytearray = field(default_factory=bytearray)
    value: bytearray = field(default_factory=bytearray)
    headers: dict[bytes, bytes] = field(default_factory=dict)
    data: bytearray = field(default_factory=bytearray)
    name: str = ""
    is_file: bool = False


class _Form:
    """A form being read: small fields in memory, the file to the disk."""

    def __init__(self, file: _File, boundary: bytes, max_field_bytes: int) -> None:
        self.file = file
        self._max_field_bytes = max_field_bytes
        self.has_file = False
        self.fields: dict[str, str] = {}
        self.ended = False
        self._waiting = bytearray()
        self._part = _Part()
        self._parts = 0
        self.parser = MultipartParser(
            boundary,
            {
                "on_part_begin": self._begin,
                "on_header_field": lambda data, start, end: self._extend(self._part.header, data[start:end]),
                "on_header_value": lambda data, start, end: self._extend(self._part.value, data[start:end]),
                "on_header_end": self._end_header,
                "on_headers_finished": self._end_headers,
                "on_part_data": self._data,
                "on_part_end": self._end_part,
                "on_end": self._end,
            },
        )

    async def write_out(self) -> None:
        if self._waiting:
            data, self._waiting = bytes(self._waiting), bytearray()
            await self.file.take(data)

    def _begin(self) -> None:
        self._parts += 1
        if self._parts > MAX_FIELDS:
            raise BadRequest(f"The form has more than {MAX_FIELDS} fields.")
        self._part = _Part()

    def _extend(self, held: bytearray, data: bytes) -> None:
        held += data
        if len(held) > _MAX_HEADER_BYTES:
            raise BadRequest("A header in the form is too long.")

    def _end_header(self) -> None:
        part = self._part
        if len(part.headers) > 10:
            raise BadRequest("A part of the form has too many headers.")
        part.headers[bytes(part.header).lower()] = bytes(part.value)
        part.header.clear()
        part.value.clear()

    def _end_headers(self) -> None:
        part = self._part
        disposition, options = parse_options_header(part.headers.get(b"content-disposition", b""))
        if disposition != b"form-data" or b"name" not in options:
            raise BadRequest("A part of the form has no name.")
        part.name = options[b"name"].decode("utf-8", "replace")[:100]
        part.is_file = part.name == "file"
        if part.is_file and self.has_file:
            raise BadRequest("The form has the field `file` twice.")
        self.has_file = self.has_file or part.is_file

    def _data(self, data: bytes, start: int, end: int) -> None:
        part = self._part
        if part.is_file:
            self._waiting += data[start:end]
            return
        part.data += data[start:end]
        if len(part.data) > self._max_field_bytes:
            raise BadRequest(f"The field {part.name} of the form is longer than {self._max_field_bytes} bytes.")

    def _end_part(self) -> None:
        part = self._part
        if part.is_file:
            return
        if part.name in self.fields:
            raise BadRequest(f"The form has the field {part.name} twice.")
        try:
            self.fields[part.name] = part.data.decode()
        except UnicodeDecodeError as error:
            raise BadRequest(f"The field {part.name} of the form is no text.") from error

    def _end(self) -> None:
        self.ended = True
