"""What the routes that deploy take and give."""

from __future__ import annotations

from typing import Any

from pydantic import BaseModel, Field

from v8box.api.deployed import DeployedSite, DeployFault, VersionShown
from v8box.api.v1 import Shape
from v8box.catalog.versions import MAX_MESSAGE

MAX_FILE_CHARACTERS = 4 * 1024 * 1024


class NewVersion(Shape):
    """A worker's sources as JSON."""

    files: dict[str, str] = Field(min_length=1, max_length=5_000, description="Text by path.")
    manifest: dict[str, Any] | None = Field(
        default=None, description="As in v8box.toml. Left out: the v8box.toml among the files, or none."
    )
    message: str = Field(default="", max_length=MAX_MESSAGE)


class DiagnosticInfo(BaseModel):
    """One thing that is wrong, and where."""

    message: str
    severity: str = "error"
    file: str | None = None
    line: int | None = Field(default=None, description="From 1, as the column.")
    column: int | None = None
    code: str | None = Field(default=None, description="TypeScript's own: `TS2322`.")
    worker: str | None = None


class Checked(BaseModel):
    """What a check found."""

    ok: bool
    diagnostics: list[DiagnosticInfo]


class FileInfo(BaseModel):
    """A file of a worker. Its ETag is its hash."""

    path: str
    sha256: str
    bytes: int


class FileSaved(BaseModel):
    """What came of a save."""

    file: FileInfo
    version: VersionShown | None = Field(description="The version that is live then, or that was made.")
    error: DeployFault | None = Field(description="Why the file, saved as it is, is not live.")


class FileChange(Shape):
    """What becomes of one file."""

    path: str = Field(min_length=1, max_length=1_024)
    text: str | None = Field(max_length=MAX_FILE_CHARACTERS, description="Its new text. `null` deletes it.")
    base_sha256: str | None = Field(
        default=None,
        max_length=64,
        description='The hash of what you have seen of it: if it is another one now, nothing is saved (412). `""`: it '
        "is a new file. Left out: whatever is there is replaced.",
    )


class FileChanges(Shape):
    """Changes of several files. A file that moves is deleted under its old name, and there under its new one."""

    changes: list[FileChange] = Field(min_length=1, max_length=500)
    message: str = Field(default="", max_length=MAX_MESSAGE)


class FilesSaved(BaseModel):
    """What came of a save of several files."""

    files: list[FileInfo] = Field(description="Those that were written.")
    version: VersionShown | None = Field(description="The version that is live then, or that was made.")
    error: DeployFault | None = Field(description="Why the files, saved as they are, are not live.")


class DeployedWorker(BaseModel):
    """A worker that went live."""

    name: str
    version: str
    number: int
    url: str


class DeployedAll(BaseModel):
    """What a deploy made live."""

    project: str
    environment: str
    message: str
    workers: list[DeployedWorker]
    site: DeployedSite | None = Field(default=None, description="When the archive was a site.")
