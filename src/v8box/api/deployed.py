"""How what is deployed looks below /api/v1: workers, versions, deployments. Several features answer with these."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import Annotated, Any, Literal

from fastapi import Path
from pydantic import BaseModel, Field

from v8box.api.etags import etag_of
from v8box.api.v1 import Time
from v8box.catalog.model import Deployment, HistoryEntry, VersionInfo, WorkerSummary, route_key
from v8box.catalog.stored import plain_manifest

Project = Annotated[
    str, Path(pattern="^[a-z0-9][a-z0-9_-]{0,62}$", description="A project; `default` is always there.")
]
Worker = Annotated[str, Path(pattern="^[a-z0-9][a-z0-9_-]{0,62}$", description="A worker's name.")]
Environment = Annotated[
    str,
    Path(
        pattern="^[a-z0-9](-?[a-z0-9])*$",
        max_length=32,
        description="`production`, `staging`, or any other name.",
    ),
]
Reference = Annotated[
    str,
    Path(
        min_length=1,
        max_length=80,
        description="A version: its number (`12`, `v12`), a tag, its id, or four or more characters it begins with.",
    ),
]


class DeployedShare(BaseModel):
    """A version's part of the requests."""

    version: str = Field(description="Its id.")
    number: int
    weight: int = Field(description="Per cent of the requests.")


class DeployedSite(BaseModel):
    """A site that went live."""

    name: str
    project: str
    release: int
    url: str
    release_url: str = Field(description="Where this release always answers.")


class DeploymentInfo(BaseModel):
    """What is live of a worker in an environment. Its ETag is its number."""

    worker: str
    environment: str
    number: int = Field(description="Counts the changes; `If-Match` takes it, in quotes.")
    versions: list[DeployedShare] = Field(description="One, or two of which the first is the older.")
    sticky: str = Field(
        description="What keeps a caller on one of two versions: `ip`, `header:<name>`, `cookie:<name>`."
    )
    url: str
    changed_at: Time
    changed_by: str

    @classmethod
    def of(cls, deployment: Deployment, base: str) -> DeploymentInfo:
        """`base` is where workers are called, without `/run/…`."""
        pairs = zip(deployment.shares, deployment.versions, strict=True)
        key = route_key(deployment.project, deployment.worker, deployment.environment)
        return cls(
            worker=deployment.worker,
            environment=deployment.environment,
            number=deployment.number,
            versions=[DeployedShare(version=id_, number=number, weight=weight) for (id_, weight), number in pairs],
            sticky=deployment.sticky,
            url=f"{base}/run/{key}",
            changed_at=deployment.changed_at,
            changed_by=deployment.changed_by,
        )


class NewestVersion(BaseModel):
    """The version of a worker that was made last, live or not."""

    number: int
    version: str = Field(description="Its id.")
    created_at: Time


class DeployFault(BaseModel):
    """Why a worker could not be deployed, and where."""

    message: str
    file: str | None = None
    line: int | None = Field(default=None, description="From 1, as the column.")
    column: int | None = None


class WorkerInfo(BaseModel):
    """A worker: where it is live, and where it comes from."""

    project: str
    name: str
    source: Literal["folder", "site", "api"] = Field(
        description="`folder`: it is a file in the served folder; `site`: a function of a site."
    )
    sites: list[str] = Field(description="The sites whose function it is, and at which it answers.")
    tags: list[str] = Field(description="Words to find it by; of the worker, not of a version.")
    environments: list[DeploymentInfo]
    versions: int = Field(description="How many it has.")
    newest: NewestVersion | None
    url: str = Field(description="Where it answers; of a function, its site.")
    deployed_at: Time | None = Field(description="When a deployment of it was last changed.")
    error: DeployFault | None = Field(description="Why its files, as they are now in the folder, are not live.")

    @classmethod
    def of(
        cls,
        project: str,
        name: str,
        summary: WorkerSummary | None,
        deployments: Sequence[Deployment],
        *,
        base: str,
        from_folder: bool,
        error: DeployFault | None,
        sites: Sequence[str] = (),
        site_url: str = "",
        tags: Sequence[str] = (),
    ) -> WorkerInfo:
        newest = None
        if summary is not None:
            newest = NewestVersion(number=summary.number, version=summary.version, created_at=summary.created_at)
        return cls(
            project=project,
            name=name,
            source="folder" if from_folder else "site" if sites else "api",
            sites=list(sites),
            tags=list(tags),
            environments=[DeploymentInfo.of(each, base) for each in deployments],
            versions=0 if summary is None else summary.versions,
            newest=newest,
            url=site_url if sites and not deployments else f"{base}/run/{route_key(project, name, 'production')}",
            deployed_at=max((each.changed_at for each in deployments), default=None),
            error=error,
        )


class LiveIn(BaseModel):
    """A place where a version is live."""

    environment: str
    weight: int


class VersionShown(BaseModel):
    """A version as a list shows it."""

    project: str
    worker: str
    id: str
    number: int
    tags: list[str]
    pinned: bool = Field(description="Retention leaves it.")
    message: str
    created_by: str
    created_at: Time
    bundle_bytes: int
    live_in: list[LiveIn]
    warnings: list[str] = Field(
        default=[], description="What is not wrong, but worth knowing: a variable that is not set. Not in lists."
    )

    @classmethod
    def fields_of(
        cls,
        info: VersionInfo,
        deployments: Sequence[Deployment],
        warnings: Sequence[str] = (),
        at_sites: Collection[str] = (),
    ) -> dict[str, Any]:
        """`at_sites`: the ids of versions that are live as functions of a site."""
        version = info.version
        live_in = [
            LiveIn(environment=each.environment, weight=weight)
            for each in deployments
            for id_, weight in each.shares
            if id_ == version.id
        ]
        if version.id in at_sites:
            live_in.append(LiveIn(environment="production", weight=100))
        return {
            "project": version.project,
            "worker": version.worker,
            "id": version.id,
            "number": version.number,
            "tags": list(info.tags),
            "pinned": info.pinned,
            "message": info.message,
            "created_by": info.created_by,
            "created_at": version.created_at,
            "bundle_bytes": info.bundle_bytes,
            "live_in": live_in,
            "warnings": list(warnings),
        }

    @classmethod
    def of(
        cls,
        info: VersionInfo,
        deployments: Sequence[Deployment],
        warnings: Sequence[str] = (),
        at_sites: Collection[str] = (),
    ) -> VersionShown:
        return cls(**cls.fields_of(info, deployments, warnings, at_sites))


class SourceFile(BaseModel):
    """One of a worker's own files."""

    path: str
    sha256: str
    bytes: int | None = Field(description="`null`: the box has lost it.")


class VersionDetail(VersionShown):
    """A version with all that is known of it."""

    manifest: dict[str, Any]
    bundle_sha256: str
    has_source_map: bool
    has_lock: bool
    files: list[SourceFile]

    @classmethod
    def whole(
        cls,
        info: VersionInfo,
        deployments: Sequence[Deployment],
        sizes: Mapping[str, int | None],
        warnings: Sequence[str] = (),
        at_sites: Collection[str] = (),
    ) -> VersionDetail:
        version = info.version
        return cls(
            **cls.fields_of(info, deployments, warnings, at_sites),
            manifest=plain_manifest(version.manifest),
            bundle_sha256=version.bundle_hash,
            has_source_map=version.source_map_hash is not None,
            has_lock=version.lock_hash is not None,
            files=[
                SourceFile(path=path, sha256=digest, bytes=sizes.get(path))
                for path, digest in sorted(version.sources.items())
            ],
        )


def worker_etag(tags: Sequence[str]) -> str:
    """The tag of what people may change of a worker itself."""
    return etag_of(list(tags))


def version_etag(info: VersionInfo) -> str:
    """The tag of what people may change of a version."""
    return etag_of([info.version.id, info.tags, info.pinned, info.message])


def deployment_etag(deployment: Deployment | None) -> str:
    """The tag of a deployment: its number, 0 where there is none."""
    return f'"{0 if deployment is None else deployment.number}"'


class HistoryInfo(BaseModel):
    """One change of a deployment."""

    number: int = Field(description="The deployment's from then on; 0: it was before they were counted.")
    change: str
    versions: list[dict[str, Any]] = Field(description="`version` and `weight` of each.")
    at: Time
    by: str
    message: str

    @classmethod
    def of(cls, entry: HistoryEntry) -> HistoryInfo:
        return cls(
            number=entry.number,
            change=entry.change.value,
            versions=[{"version": id_, "weight": weight} for id_, weight in entry.shares],
            at=entry.at,
            by=entry.by,
            message=entry.message,
        )
