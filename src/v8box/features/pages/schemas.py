"""What the routes of sites take and show."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Any, Literal

from fastapi import Path, Query
from pydantic import BaseModel, Field

from v8box.api.v1 import Shape, Time
from v8box.catalog.sites import Domain, Preview, ReleaseInfo, Site
from v8box.features.pages.compare import FileSide
from v8box.gateway.pages.headers import HeaderBlock
from v8box.gateway.pages.redirects import Compat, Redirect
from v8box.gateway.pages.release import Asset, HtmlHandling, NotFoundHandling

MAX_MESSAGE = 500

Project = Annotated[
    str, Path(pattern="^[a-z0-9][a-z0-9_-]{0,62}$", description="A project; `default` is always there.")
]
SiteName = Annotated[str, Path(max_length=63, description="A site's name: the first part of its host name.")]
MAX_NUMBER = 10**12
"""No site has so many releases."""
Number = Annotated[int, Path(ge=1, le=MAX_NUMBER, description="A release's number.")]
FilePath = Annotated[str, Query(max_length=1_024, description="The file's path, with a slash in front.")]
Label = Annotated[str, Path(max_length=32, description="A preview's name.")]
Host = Annotated[str, Path(max_length=253, description="A host name.")]
Message = Annotated[str, Field(max_length=MAX_MESSAGE, description="Why, for those who read the history.")]
Cookie = Annotated[str, Field(min_length=1, max_length=200, pattern=r"^[^\s;,=]+$")]
Sha256 = Annotated[str, Path(pattern="^[0-9a-f]{64}$", description="The SHA-256 of the bytes, in hex.")]


class NewSite(Shape):
    """A site without a release."""

    name: str = Field(min_length=1, max_length=63)


class SiteInfo(BaseModel):
    """A site as it is now."""

    name: str
    project: str
    url: str
    live_release: int | None = Field(description="The number of the release that answers, `null` before the first.")
    change: int = Field(description="Counts what went live; it is the ETag.")
    from_folder: bool = Field(description="Whether it comes from `pages/` of the served folder.")
    created_at: Time
    changed_at: Time

    @classmethod
    def of(cls, site: Site, url: str) -> SiteInfo:
        return cls(
            name=site.name,
            project=site.project,
            url=url,
            live_release=site.live_number,
            change=site.number,
            from_folder=bool(site.fingerprint),
            created_at=site.created_at,
            changed_at=site.changed_at,
        )


class SiteHost(BaseModel):
    """A host name of a site."""

    host: str
    verified: bool = Field(description="Whether it answers.")


class SiteSummary(SiteInfo):
    """A site in the list, with what is live and where."""

    files: int | None = Field(description="Of the live release, as all that follows; `null` before the first.")
    bytes: int | None
    deployed_at: Time | None
    deployed_by: str | None
    message: str | None
    domains: list[SiteHost]

    @classmethod
    def summed(cls, site: Site, live: ReleaseInfo | None, domains: Sequence[Domain], url: str) -> SiteSummary:
        return cls(
            **dict(SiteInfo.of(site, url)),
            files=None if live is None else live.files,
            bytes=None if live is None else live.size,
            deployed_at=None if live is None else live.created_at,
            deployed_by=None if live is None else live.created_by,
            message=None if live is None else live.message,
            domains=[SiteHost(host=each.host, verified=each.verified_at is not None) for each in domains],
        )


class HeaderInfo(BaseModel):
    """A header rule of a release: a path with the lines below it."""

    number: int = Field(description="Its place among the rules, from 1: all that fit count, in this order.")
    line: int = Field(description="Where it stands in its file.")
    source: str = Field(serialization_alias="from")
    sets: dict[str, str] = Field(description="Headers with their values.")
    removes: list[str] = Field(description="Headers that it takes off (`! Name`).")
    files: int | None = Field(
        description="How many files of the release it is for; 0: none now. `null`: there are too many to count."
    )

    @classmethod
    def of(cls, number: int, block: HeaderBlock, files: int | None) -> HeaderInfo:
        return cls(
            number=number,
            line=block.line,
            source=block.source,
            sets={name: value for name, value in block.headers if value is not None},
            removes=[name for name, value in block.headers if value is None],
            files=files,
        )


class Release(BaseModel):
    """One release."""

    site: str
    number: int
    id: str
    url: str = Field(description="Where this release always answers.")
    live: bool
    files: int
    bytes: int
    message: str
    pinned: bool
    created_at: Time
    created_by: str
    report: dict[str, Any] = Field(description="What its deploy had to say: lines that count for nothing, warnings.")

    @classmethod
    def of(cls, info: ReleaseInfo, site: Site, url: str) -> Release:
        return cls(
            site=info.site,
            number=info.number,
            id=info.id,
            url=url,
            live=site.live_number == info.number,
            files=info.files,
            bytes=info.size,
            message=info.message,
            pinned=info.pinned,
            created_at=info.created_at,
            created_by=info.created_by,
            report=dict(info.report),
        )


class ReleaseChange(Shape):
    """What to change of a release; what is left out stays."""

    message: Message | None = None
    pinned: bool | None = None


class Manifest(Shape):
    """The files of a wanted release: by path (`/index.html`) the SHA-256 of the bytes, in hex."""

    files: dict[str, Annotated[str, Field(pattern="^[0-9a-f]{64}$")]] = Field(min_length=1, max_length=100_000)


class Missing(BaseModel):
    """What has to be sent."""

    missing: list[str] = Field(description="Hashes: PUT the bytes of each to files/{hash}.")


class NewRelease(Manifest):
    """A release of files that were sent one by one."""

    message: Message = ""
    live: bool = Field(default=True, description="Whether it answers at once.")


class Sent(BaseModel):
    """One file that was sent."""

    bytes: int


class GoLive(Shape):
    """Which release is to answer."""

    release: int = Field(ge=1, le=MAX_NUMBER)
    message: Message = ""


class RollBack(Shape):
    """Where to go back to."""

    to: int | None = Field(
        default=None, ge=1, le=MAX_NUMBER, description="A release. Left out: the one that was live before."
    )
    message: Message = ""


class SiteFile(BaseModel):
    """One file of a release."""

    path: str
    sha256: str
    bytes: int
    type: str
    encodings: dict[str, int] = Field(description="How many bytes are sent in which encoding.")

    @classmethod
    def of(cls, path: str, asset: Asset) -> SiteFile:
        return cls(
            path=path,
            sha256=asset.deployed.hash,
            bytes=asset.deployed.size,
            type=asset.type,
            encodings={name: stored.size for name, stored in asset.encodings.items()},
        )


class Sizes(BaseModel):
    """How long a file was and is; `null` where it is not."""

    before: int | None
    after: int | None


class Difference(BaseModel):
    """What changed from one release to another."""

    added: list[str]
    removed: list[str]
    changed: list[str]
    sizes: dict[str, Sizes] = Field(description="Of all these files, by path.")
    bytes: int = Field(description="How many more the newer one has.")
    rules: list[Literal["redirects", "headers", "settings", "functions"]] = Field(
        description="What else is not the same."
    )


class ComparedFile(BaseModel):
    """A file in one of two releases."""

    sha256: str
    bytes: int
    type: str
    text: str | None = Field(description="`null`: it is no text in UTF-8, or longer than 256 KB.")

    @classmethod
    def of(cls, side: FileSide | None) -> ComparedFile | None:
        if side is None:
            return None
        return cls(sha256=side.stored.hash, bytes=side.stored.size, type=side.type, text=side.text)


class FileDifference(BaseModel):
    """One file in two releases; `null` where it is not."""

    path: str
    before: ComparedFile | None
    after: ComparedFile | None


class RedirectInfo(BaseModel):
    """A redirect rule of a release."""

    number: int = Field(description="Its place among the rules, from 1: the first that fits counts.")
    line: int = Field(description="Where it stands in its file.")
    source: str = Field(serialization_alias="from")
    target: str = Field(serialization_alias="to")
    status: int
    force: bool = Field(description="Whether it goes before a file.")
    query: dict[str, str] = Field(description="What the query must have.")
    conditions: dict[str, list[str]] = Field(description="`country`, `language`, `role`, `cookie`.")
    hits: int = Field(description="How often it was the one, on this node since the box started; previews count, too.")

    @classmethod
    def of(cls, number: int, rule: Redirect, hits: int) -> RedirectInfo:
        return cls(
            number=number,
            line=rule.line,
            source=rule.source,
            target=rule.target,
            status=rule.status,
            force=rule.force,
            query=rule.query,
            conditions={name: list(values) for name, values in rule.conditions.items()},
            hits=hits,
        )


class NewPreview(Shape):
    """What a preview shows."""

    release: int = Field(ge=1, le=MAX_NUMBER)
    password: str | None = Field(
        default=None,
        min_length=8,
        max_length=200,
        description="Visitors are asked for it. `null`: anybody may look. Left out: as it was, at first for anybody.",
    )
    expires_in_seconds: int | None = Field(
        default=None, ge=60, le=366 * 86_400, description="`null`: never. Left out: as it was, at first never."
    )


class PreviewInfo(BaseModel):
    """A named preview."""

    label: str
    url: str
    release: int
    password: bool = Field(description="Whether visitors are asked for one.")
    expires_at: Time | None
    created_at: Time

    @classmethod
    def of(cls, preview: Preview, url: str) -> PreviewInfo:
        return cls(
            label=preview.label,
            url=url,
            release=preview.release,
            password=preview.password_hash is not None,
            expires_at=preview.expires_at,
            created_at=preview.created_at,
        )


class NewDomain(Shape):
    """A host name of one's own."""

    host: str = Field(min_length=1, max_length=254)


class DomainInfo(BaseModel):
    """A host name, and how to prove that it is one's own."""

    host: str
    verified_at: Time | None = Field(description="`null`: not yet, and it does not answer.")
    created_at: Time
    dns_record: str = Field(description="A TXT record that proves it …")
    http_file: str = Field(description="… or an address that has to answer with the token.")
    token: str

    @classmethod
    def of(cls, domain: Domain) -> DomainInfo:
        return cls(
            host=domain.host,
            verified_at=domain.verified_at,
            created_at=domain.created_at,
            dns_record=f'_v8box.{domain.host} TXT "v8box={domain.token}"',
            http_file=f"http://{domain.host}/.well-known/v8box/{domain.token}",
            token=domain.token,
        )


class HistoryEntry(BaseModel):
    """What went live when."""

    number: int
    change: str
    release: int
    at: str
    by: str
    message: str


class Asked(Shape):
    """A request that a site's rules are tried with."""

    url: str = Field(min_length=1, max_length=4_000, description="A path with its query, or a whole URL.")
    country: str = Field(default="", max_length=2)
    language: str = Field(default="", max_length=100, description="As in Accept-Language.")
    cookies: list[Cookie] = Field(default=[], max_length=50, description="Names of cookies.")
    method: str = Field(default="GET", pattern="^[A-Z]{1,20}$")
    release: int | None = Field(default=None, ge=1, le=MAX_NUMBER, description="Left out: the live one.")


class Tried(BaseModel):
    """What a request would get."""

    outcome: Literal["file", "redirect", "worker", "proxy", "not_found", "refused"]
    status: int | None = Field(description="`null`: the worker or the other host says.")
    place: str = Field(description="The file, the address, the worker; or why nothing answers.")
    rule: RedirectInfo | None = Field(description="The rule that leads there.")
    headers: dict[str, str] = Field(description="Those that the site and the box add.")
    header_rules: list[int] = Field(description="The numbers of the header rules that fit.")


class MountSetting(Shape):
    """A worker that answers some of the site's paths."""

    path: str = Field(min_length=1, max_length=1_000)
    worker: str = Field(min_length=1, max_length=63)
    first: bool = Field(default=True, description="Before the files; `false`: where there is no file.")


class SettingsChange(Shape):
    """What to set for a site, beside its files; what is left out stays, `null` takes a setting back."""

    html_handling: HtmlHandling | None = None
    not_found_handling: NotFoundHandling | None = None
    compat: Compat | None = Field(default=None, description="Of rules without a status; from the next deploy on.")
    strict: bool | None = Field(default=None, description="Whether a line that is no rule refuses a deploy.")
    security_headers: bool | None = Field(default=None, description="CSP, HSTS, X-Frame-Options and their like.")
    proxy_hosts: list[str] | None = Field(default=None, max_length=100)
    mounts: list[MountSetting] | None = Field(default=None, max_length=100)
    optimise: list[Literal["html", "css", "js", "svg", "images"]] | None = Field(default=None, max_length=5)


class SettingsInfo(BaseModel):
    """The settings of a site."""

    set: dict[str, Any] = Field(description="What is set here, beside the site's files.")
    own: list[str] = Field(description="What the live release's own `v8box.toml` has: that goes before what is set.")
    live: dict[str, Any] | None = Field(description="What counts for the live release; `null` before the first.")
    release: int | None = Field(description="Its number.")
