"""The settings themselves, grouped. A new one is one field here: its variable, its key, how it is read, and why its
default.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Final, Literal

from v8box.settings.readers import (
    Reader,
    bind_address,
    bucket,
    cdn_kind,
    cdn_zone,
    domain,
    header_list,
    key_256,
    long_secret,
    mail_address,
    networks,
    password,
    places,
    ratio,
    seconds,
    secret,
    sentry_dsn,
    server_url,
    template,
    text,
    whole_number,
    yes_or_no,
)
from v8box.settings.values import Secret, ServerUrl

FILE_NAME: Final = "v8box.toml"


@dataclass(frozen=True, slots=True)
class From:
    """Where a setting comes from: `variable`, or `table.key` of the file. Faults never repeat a `hidden` value."""

    variable: str
    key: str
    read: Reader[Any]
    hidden: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Box:
    """Who the box is: its names, where it listens, who may administer it."""

    domain: Annotated[str, From("DOMAIN", "box.domain", domain)] = "localhost"
    """The domain under which `admin.`, `api.` and the sites live. `localhost` works with nothing set up."""

    host: Annotated[str, From("V8BOX_HOST", "box.host", bind_address)] = "127.0.0.1"
    """The address to listen on. Loopback unless said otherwise, even when `DOMAIN` is set: a box is reachable from the
    network only when someone wrote so (`0.0.0.0` on a VPS; not behind a Caddy on the same machine)."""

    port: Annotated[int, From("PORT", "box.port", whole_number(0, 65_535))] = 8_000
    """The TCP port. Above 1023, so that no root is needed; 0 lets the kernel choose one (tests)."""

    admin_password: Annotated[Secret | None, From("ADMIN_PASSWORD", "box.admin_password", password, hidden=True)] = None
    """The password of the user `admin`, who owns the box; 8 characters or more. Not set: the first start makes one up
    and prints it. It is set at every start, so that the environment is always right about it."""

    trusted_proxies: Annotated[
        tuple[ipaddress.IPv4Network | ipaddress.IPv6Network, ...],
        From("V8BOX_TRUSTED_PROXIES", "box.trusted_proxies", networks),
    ] = ()
    """Networks whose `X-Forwarded-*` headers are believed, comma-separated in the variable. None by default: believing
    anybody lets a client choose its own address, and with it dodge rate limits."""

    cloudflare_token: Annotated[
        Secret | None, From("CLOUDFLARE_TOKEN", "box.cloudflare_token", secret, hidden=True)
    ] = None
    """The API token for DNS records and certificates of custom domains. Optional."""

    master_key: Annotated[Secret | None, From("V8BOX_MASTER_KEY", "box.master_key", key_256, hidden=True)] = None
    """32 bytes in base64 or hex: the key behind every sealed variable and secret. Not set: `data/keys/master.key`, made
    at the first start. Set it where the key must not lie beside the data that it seals."""

    master_key_previous: Annotated[
        Secret | None, From("V8BOX_MASTER_KEY_PREVIOUS", "box.master_key_previous", key_256, hidden=True)
    ] = None
    """The key before this one, for one start after `master_key` was changed: what it wraps is wrapped anew."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SignIn:
    """How long somebody stays signed in."""

    session_idle_hours: Annotated[
        int, From("V8BOX_SESSION_IDLE_HOURS", "sign_in.session_idle_hours", whole_number(1, 8_760))
    ] = 168
    """Hours without use after which a session ends. A week: who works with the box stays signed in."""

    session_hours: Annotated[int, From("V8BOX_SESSION_HOURS", "sign_in.session_hours", whole_number(1, 8_760))] = 720
    """Hours after which a session ends in any case. 30 days: a stolen cookie is not good for ever."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Requests:
    """What the gateway accepts from a client before a worker sees any of it."""

    max_body_mb: Annotated[int, From("V8BOX_MAX_BODY_MB", "requests.max_body_mb", whole_number(1, 1_048_576))] = 2_048
    """MiB of one request body. Bodies stream and are never held, so the bound guards time and disk, not memory."""

    max_header_kb: Annotated[int, From("V8BOX_MAX_HEADER_KB", "requests.max_header_kb", whole_number(4, 1_024))] = 64
    """KiB of all request headers. Room for large cookies and tokens; headers are held in memory, so not much more."""

    max_url_kb: Annotated[int, From("V8BOX_MAX_URL_KB", "requests.max_url_kb", whole_number(1, 1_024))] = 16
    """KiB of the request target. Twice what browsers and proxies commonly let through."""

    @property
    def max_body_bytes(self) -> int:
        return self.max_body_mb * 1_048_576

    @property
    def max_header_bytes(self) -> int:
        return self.max_header_kb * 1_024

    @property
    def max_url_bytes(self) -> int:
        return self.max_url_kb * 1_024


@dataclass(frozen=True, slots=True, kw_only=True)
class Sandboxes:
    """How many worker processes there are, how long they live, and how long a request waits for one."""

    blanks: Annotated[int, From("V8BOX_BLANKS", "sandboxes.blanks", whole_number(0, 64))] = 2
    """Processes kept started without a worker. Two: one is taken, one is ready while the next starts (20 ms, 9 MB)."""

    max_sandboxes: Annotated[int, From("V8BOX_MAX_SANDBOXES", "sandboxes.max", whole_number(1, 100_000))] = 64
    """Processes at most, blanks included. Not set: what half of the memory holds at 32 MB each, from 4 to 1024; a small
    worker takes 9 to 15 MB, the other half is for those that take more."""

    idle_seconds: Annotated[float, From("V8BOX_IDLE_SECONDS", "sandboxes.idle_seconds", seconds(1, 86_400))] = 60.0
    """Seconds without a run after which a process is stopped. A cold start costs milliseconds, memory costs money."""

    queue_length: Annotated[int, From("V8BOX_QUEUE_LENGTH", "sandboxes.queue_length", whole_number(0, 100_000))] = 2_048
    """Requests that may wait for one worker; the next is refused (503) at once. Enough for a burst of cold starts."""

    queue_timeout_seconds: Annotated[
        float, From("V8BOX_QUEUE_TIMEOUT_SECONDS", "sandboxes.queue_timeout_seconds", seconds(0.01, 300))
    ] = 10.0
    """Seconds a request waits for a process before 503. Browsers' users leave before that, proxies soon after."""

    drain_seconds: Annotated[float, From("V8BOX_DRAIN_SECONDS", "sandboxes.drain_seconds", seconds(0, 3_600))] = 10.0
    """Seconds that running requests get to finish at shutdown. Within the 30 that container platforms allow."""

    recycle_after_requests: Annotated[
        int, From("V8BOX_RECYCLE_AFTER_REQUESTS", "sandboxes.recycle_after_requests", whole_number(0, 1_000_000_000))
    ] = 1_000_000
    """Runs after which a process is replaced, so that a slow leak never becomes an outage. 0 means never."""

    recycle_after_hours: Annotated[
        int, From("V8BOX_RECYCLE_AFTER_HOURS", "sandboxes.recycle_after_hours", whole_number(0, 8_760))
    ] = 24
    """Hours after which a process is replaced, for the same reason. 0 means never."""

    allow_ipv6: Annotated[bool, From("V8BOX_ALLOW_IPV6", "sandboxes.allow_ipv6", yes_or_no)] = False
    """Whether workers may open IPv6 connections. No: Deno refuses private IPv4 ranges, but it has no way to refuse
    private IPv6 ones (fc00::/7, fe80::/10), so a box on such a network would be open to its workers."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Versions:
    """What is kept of what was deployed."""

    keep: Annotated[int, From("V8BOX_KEEP_VERSIONS", "versions.keep", whole_number(1, 100_000))] = 100
    """Versions of each worker that are kept, the newest ones. Beside them stays what is live, tagged or pinned, and
    what a rollback would bring back. A hundred are some weeks of work, and a few MB."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Sites:
    """What a static site may have, and what is kept of it."""

    max_mb: Annotated[int, From("V8BOX_SITE_MB", "sites.max_mb", whole_number(1, 1_048_576))] = 2_048
    """MiB of one release, unpacked, and of the archive that it comes in. A large site with its pictures; films belong
    into a bucket."""

    keep_releases: Annotated[int, From("V8BOX_KEEP_RELEASES", "sites.keep_releases", whole_number(1, 100_000))] = 50
    """Releases of each site that are kept, the newest ones. Beside them stays what is live, pinned or shown in a named
    preview. Releases share the files that did not change, so fifty are little more than a few."""

    @property
    def max_bytes(self) -> int:
        return self.max_mb * 1_048_576


@dataclass(frozen=True, slots=True, kw_only=True)
class Cdn:
    """A CDN in front of the box, which is told when another release of a site is live. Without one, nobody is."""

    kind: Annotated[Literal["cloudflare", "bunny"] | None, From("V8BOX_CDN", "cdn.kind", cdn_kind)] = None
    """Whose it is. It needs a token and a zone."""

    token: Annotated[Secret | None, From("V8BOX_CDN_TOKEN", "cdn.token", secret, hidden=True)] = None
    """Cloudflare: a token that may purge this zone's cache (`Zone.Cache Purge`), and nothing else. Bunny: the account's
    API key."""

    zone: Annotated[str | None, From("V8BOX_CDN_ZONE", "cdn.zone", cdn_zone)] = None
    """Cloudflare's zone id, Bunny's number of the pull zone."""

    url: Annotated[ServerUrl | None, From("V8BOX_CDN_URL", "cdn.url", server_url("http", "https"), hidden=True)] = None
    """Where its API is, when not at the CDN's own address: a gateway of one's own, or a test."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Logs:
    """What the box keeps of what was said."""

    budget_mb: Annotated[int, From("V8BOX_LOG_BUDGET_MB", "logs.budget_mb", whole_number(2, 1_048_576))] = 1_024
    """MiB that runs and lines may take; the oldest go first. Some six million runs, little of a small server's disk."""

    days: Annotated[int, From("V8BOX_LOG_DAYS", "logs.days", whole_number(1, 3_650))] = 14
    """Days after which runs and lines go in any case. Two weeks: long enough to look back to the last deploys, and no
    longer than most privacy policies have it."""

    lines_per_second: Annotated[int, From("V8BOX_LOG_LINES", "logs.lines_per_second", whole_number(1, 1_000_000))] = (
        1_000
    )
    """Lines a second that are kept of each worker; five seconds' worth may come at once. More is a worker that floods:
    it would drive out the lines of all the others, and nobody reads them."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Metrics:
    """What is kept of what was counted, and who may read it."""

    budget_mb: Annotated[int, From("V8BOX_METRICS_MB", "metrics.budget_mb", whole_number(8, 1_048_576))] = 256
    """MiB of `data/metrics.db`. Minutes and hours are kept for 90 days; beyond this the oldest minutes go first. About
    a month of minutes of fifty busy workers."""

    token: Annotated[Secret | None, From("V8BOX_METRICS_TOKEN", "metrics.token", long_secret, hidden=True)] = None
    """What a Prometheus sends as `Authorization: Bearer` to read `/metrics`, and nothing else: at least 20 characters.
    Without it, a personal token that may read the whole box does."""

    max_series: Annotated[int, From("V8BOX_METRICS_SERIES", "metrics.max_series", whole_number(100, 1_000_000))] = (
        10_000
    )
    """Time series of one metric at `/metrics`. More would take a Prometheus, and the box, seconds for each look."""

    local: Annotated[bool, From("V8BOX_METRICS_LOCAL", "metrics.local", yes_or_no)] = True
    """Whether programs on the same machine may read `/metrics` without a token. Say no where a proxy on this machine
    passes requests on without a word of it, as a bare nginx does: they would look the same."""

    @property
    def budget_bytes(self) -> int:
        return self.budget_mb * 1_048_576


@dataclass(frozen=True, slots=True, kw_only=True)
class Otlp:
    """Where traces and logs are sent beside what the box keeps itself. The variables are OpenTelemetry's own."""

    endpoint: Annotated[
        ServerUrl | None,
        From("OTEL_EXPORTER_OTLP_ENDPOINT", "otlp.endpoint", server_url("http", "https"), hidden=True),
    ] = None
    """A collector that takes OTLP over HTTP, without `/v1/traces`: `http://localhost:4318`. Not set: nothing is
    sent."""

    headers: Annotated[Secret | None, From("OTEL_EXPORTER_OTLP_HEADERS", "otlp.headers", header_list, hidden=True)] = (
        None
    )
    """What it asks for: `Authorization=Bearer%20…`, several separated by commas."""

    trace_ratio: Annotated[float, From("OTEL_TRACES_SAMPLER_ARG", "otlp.trace_ratio", ratio)] = 1.0
    """Which share of the traces that begin at this box is sent. A caller's `traceparent` decides for its own. All of
    them: nobody is surprised by one that is missing, and a busy box sets less."""

    logs: Annotated[bool, From("V8BOX_OTLP_LOGS", "otlp.logs", yes_or_no)] = True
    """Whether log lines are sent too."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Libsql:
    """A LibSQL server for databases. Without one, databases are SQLite files in the data directory."""

    url: Annotated[
        ServerUrl | None,
        From("LIBSQL_URL", "libsql.url", server_url("http", "https", "ws", "wss", "libsql"), hidden=True),
    ] = None
    """The server's address. Not set: embedded."""

    auth_token: Annotated[Secret | None, From("LIBSQL_AUTH_TOKEN", "libsql.auth_token", secret, hidden=True)] = None
    """The token it asks for, if it does."""

    admin_url: Annotated[
        ServerUrl | None,
        From("V8BOX_LIBSQL_ADMIN_URL", "libsql.admin_url", server_url("http", "https"), hidden=True),
    ] = None
    """The server's admin API. With it each database is a namespace with a key of its own; without it there is only the
    default database."""

    admin_token: Annotated[
        Secret | None, From("V8BOX_LIBSQL_ADMIN_TOKEN", "libsql.admin_token", secret, hidden=True)
    ] = None
    """The key of the admin API, if it asks for one."""

    replica_url: Annotated[
        ServerUrl | None,
        From("V8BOX_LIBSQL_REPLICA_URL", "libsql.replica_url", server_url("http", "https", "libsql"), hidden=True),
    ] = None
    """A replica that takes reads. A project that has just written reads from the server itself."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Databases:
    """What each database may use, wherever it is."""

    max_mb: Annotated[int, From("V8BOX_DATABASE_MB", "databases.max_mb", whole_number(1, 1_048_576))] = 1_024
    """MiB of one database. A small server's disk holds a few of these; what outgrows it wants to be thought about."""

    statement_seconds: Annotated[
        float, From("V8BOX_STATEMENT_SECONDS", "databases.statement_seconds", seconds(0.1, 300))
    ] = 5.0
    """Seconds that one statement of a worker may run. Longer ones hold up every writer of the same database."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Valkey:
    """The Valkey (or Redis) server behind `cache`. Without one, the box starts a private one."""

    url: Annotated[
        ServerUrl | None,
        From(
            "VALKEY_URL",
            "valkey.url",
            server_url("redis", "rediss", "valkey", "valkeys", "unix", login=True),
            hidden=True,
        ),
    ] = None
    """The server's address, with its password. Not set: a private server on a Unix socket, nothing on the network."""

    project_mb: Annotated[int, From("V8BOX_CACHE_PROJECT_MB", "valkey.project_mb", whole_number(1, 1_048_576))] = 128
    """MiB that one project may keep in the cache. Half of what the private server may use."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ResponseCache:
    """What is kept of the answers of workers and of hosts that sites lead to, where they allow it."""

    ram_mb: Annotated[int, From("V8BOX_CACHE_RAM_MB", "response_cache.ram_mb", whole_number(1, 1_048_576))] = 64
    """MiB of memory. Some thousand pages; a box with more memory to spare serves more of them from it."""

    disk_mb: Annotated[int, From("V8BOX_CACHE_DISK_MB", "response_cache.disk_mb", whole_number(0, 1_048_576))] = 512
    """MiB on disk, for what memory has no room for; 0 for none. Little of a small server's disk."""

    entry_mb: Annotated[int, From("V8BOX_CACHE_ENTRY_MB", "response_cache.entry_mb", whole_number(1, 1_024))] = 8
    """MiB of one answer at most. Longer ones pass through; they would drive out much that is asked for more often."""

    @property
    def ram_bytes(self) -> int:
        return self.ram_mb * 1_048_576

    @property
    def disk_bytes(self) -> int:
        return self.disk_mb * 1_048_576

    @property
    def entry_bytes(self) -> int:
        return self.entry_mb * 1_048_576


@dataclass(frozen=True, slots=True, kw_only=True)
class S3:
    """An S3 server for objects. Without one, objects are files in the data directory."""

    endpoint: Annotated[
        ServerUrl | None, From("S3_ENDPOINT", "s3.endpoint", server_url("http", "https"), hidden=True)
    ] = None
    """The server's address. Not set: embedded. It needs both keys."""

    access_key: Annotated[Secret | None, From("S3_ACCESS_KEY", "s3.access_key", secret, hidden=True)] = None
    """The access key id."""

    secret_key: Annotated[Secret | None, From("S3_SECRET_KEY", "s3.secret_key", secret, hidden=True)] = None
    """The secret access key."""

    region: Annotated[str, From("S3_REGION", "s3.region", text)] = "us-east-1"
    """The region to sign for. Servers of one's own accept this one."""

    default_bucket: Annotated[str, From("S3_DEFAULT_BUCKET", "s3.default_bucket", bucket)] = "v8box"
    """The bucket that a worker's `s3` works in unless it asks for another."""

    projects_bucket: Annotated[str, From("S3_PROJECTS_BUCKET", "s3.projects_bucket", bucket)] = "v8box-projects"
    """The bucket of the sites' files."""

    functions_bucket: Annotated[str, From("S3_FUNCTIONS_BUCKET", "s3.functions_bucket", bucket)] = "v8box-functions"
    """The bucket of the workers' bundles and sources."""

    project_mb: Annotated[int, From("V8BOX_S3_PROJECT_MB", "s3.project_mb", whole_number(1, 1_073_741_824))] = 20_480
    """MiB of objects that one project may keep in the data directory. A server's own quotas are the server's."""

    public_url: Annotated[
        ServerUrl | None,
        From("V8BOX_S3_PUBLIC_URL", "s3.public_url", server_url("http", "https")),
    ] = None
    """Where clients reach the box's buckets; presigned URLs begin with it. Not set: the host `s3.` of the domain, by
    https, or by http with the port where the domain is localhost."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Projects:
    """The quotas of a project that has none of its own. 0 is no bound; the project `default` has none. So much that an
    honest team does not notice, and so little that one project does not take the whole box."""

    workers: Annotated[int, From("V8BOX_PROJECT_WORKERS", "projects.workers", whole_number(0, 100_000))] = 100
    """Workers of a project."""

    requests_per_day: Annotated[
        int, From("V8BOX_PROJECT_REQUESTS_PER_DAY", "projects.requests_per_day", whole_number(0, 10**12))
    ] = 10_000_000
    """Runs in a day of UTC. A hundred a second, all day."""

    cpu_seconds_per_day: Annotated[
        int, From("V8BOX_PROJECT_CPU_SECONDS_PER_DAY", "projects.cpu_seconds_per_day", whole_number(0, 10**9))
    ] = 86_400
    """Seconds of processor time in a day of UTC. One core, all day."""

    storage_mb: Annotated[
        int, From("V8BOX_PROJECT_STORAGE_MB", "projects.storage_mb", whole_number(0, 1_073_741_824))
    ] = 20_480
    """MiB of databases, buckets and sites together. As much as the buckets alone may have by default."""

    databases: Annotated[int, From("V8BOX_PROJECT_DATABASES", "projects.databases", whole_number(0, 100_000))] = 50
    """Databases beside the default one."""

    buckets: Annotated[int, From("V8BOX_PROJECT_BUCKETS", "projects.buckets", whole_number(0, 100))] = 50
    """Buckets. A store takes 100 of a project at most."""

    sites: Annotated[int, From("V8BOX_PROJECT_SITES", "projects.sites", whole_number(0, 100_000))] = 100
    """Sites of a project."""

    variables: Annotated[int, From("V8BOX_PROJECT_VARIABLES", "projects.variables", whole_number(0, 100_000))] = 1_000
    """Variables and secrets that are set, on all levels together."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Audit:
    """The log of who changed what."""

    days: Annotated[int, From("V8BOX_AUDIT_DAYS", "audit.days", whole_number(1, 36_500))] = 365
    """Days for which an entry is kept. A year: what auditors commonly ask for."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Health:
    """When the box says that it is not well."""

    disk_warn_mb: Annotated[int, From("V8BOX_DISK_WARN_MB", "health.disk_warn_mb", whole_number(0, 1_073_741_824))] = (
        2_048
    )
    """MiB free in the data directory below which the disk is a warning. Time to make room, on the disk of a small
    server too."""

    disk_critical_mb: Annotated[
        int, From("V8BOX_DISK_CRITICAL_MB", "health.disk_critical_mb", whole_number(0, 1_073_741_824))
    ] = 512
    """MiB free below which it is a failure. A day's backup and the logs still fit."""

    certificates: Annotated[tuple[str, ...] | None, From("V8BOX_CERTIFICATES", "health.certificates", places)] = None
    """Whose certificates are looked at: host names with or without a port, and absolute paths of PEM files,
    comma-separated in the variable; `none`: nobody's. Not set: the hosts `admin` and `api` of the domain; none where
    that is localhost."""

    certificate_warn_days: Annotated[
        int, From("V8BOX_CERTIFICATE_WARN_DAYS", "health.certificate_warn_days", whole_number(4, 365))
    ] = 14
    """Days before its end from which a certificate is a warning; from 3 on it is a failure. Caddy renews 30 days
    before."""

    unready_seconds: Annotated[float, From("V8BOX_UNREADY_SECONDS", "health.unready_seconds", seconds(0, 600))] = 0.0
    """Seconds for which a box that is stopping still takes requests while `/readyz` answers 503. None by default; a
    load balancer in front wants as long as it takes to notice."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Errors:
    """What workers throw and are killed for, grouped."""

    days: Annotated[int, From("V8BOX_ERROR_DAYS", "errors.days", whole_number(1, 3_650))] = 90
    """Days for which an error is kept that nobody sees any more."""

    sentry_dsn: Annotated[Secret | None, From("SENTRY_DSN", "errors.sentry_dsn", sentry_dsn, hidden=True)] = None
    """Where errors of workers are forwarded to that name no `SENTRY_DSN` of their own among their variables."""

    sentry_private: Annotated[bool, From("V8BOX_SENTRY_PRIVATE", "errors.sentry_private", yes_or_no)] = False
    """Whether workers may name a Sentry at a private address. Not: whoever sets variables could make the box reach
    what is behind it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Notifications:
    """How people are told when something is wrong."""

    smtp_url: Annotated[
        ServerUrl | None,
        From(
            "V8BOX_SMTP_URL",
            "notifications.smtp_url",
            server_url("smtp", "smtps", "smtp+plain", login=True),
            hidden=True,
        ),
    ] = None
    """The mail server of channels that name none: `smtp://user:password@host` (STARTTLS, port 587), `smtps://` (TLS,
    465), `smtp+plain://` (neither, 25; on your own network). Not set: each names one."""

    smtp_from: Annotated[str | None, From("V8BOX_SMTP_FROM", "notifications.smtp_from", mail_address)] = None
    """Whom mails are from. Not set: `v8box@` and the domain."""

    allow_private: Annotated[bool, From("V8BOX_NOTIFY_PRIVATE", "notifications.allow_private", yes_or_no)] = False
    """Whether channels of projects may lead to addresses that are not public, and to plain http. No: who administers a
    project is not to reach your network through the box. The box's own channels may."""

    disable_days: Annotated[
        int, From("V8BOX_NOTIFY_DISABLE_DAYS", "notifications.disable_days", whole_number(1, 365))
    ] = 5
    """Days without a delivery, though there were tries, after which a channel is turned off. Longer than a weekend."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Vault:
    """A HashiCorp Vault (KV version 2) that variables come from. Without one, they come from the box alone."""

    address: Annotated[
        ServerUrl | None, From("VAULT_ADDR", "vault.address", server_url("http", "https"), hidden=True)
    ] = None
    """Vault's address. It needs a token, or a file with one."""

    token: Annotated[Secret | None, From("VAULT_TOKEN", "vault.token", secret, hidden=True)] = None
    """The token. Its policy needs `read` below `path`; it is renewed twice an hour."""

    token_file: Annotated[str | None, From("V8BOX_VAULT_TOKEN_FILE", "vault.token_file", text)] = None
    """A file with the token instead, read at each use: Vault's agent keeps one fresh."""

    namespace: Annotated[str | None, From("VAULT_NAMESPACE", "vault.namespace", text)] = None
    """The namespace, for Vault Enterprise."""

    ca_file: Annotated[str | None, From("VAULT_CACERT", "vault.ca_file", text)] = None
    """A file with the authorities that may certify Vault. Not set: the system's."""

    mount: Annotated[str, From("V8BOX_VAULT_MOUNT", "vault.mount", template())] = "secret"
    """Where the KV engine is mounted. `secret` is where Vault's development server has it."""

    path: Annotated[str, From("V8BOX_VAULT_PATH", "vault.path", template("project", "environment", "worker"))] = (
        "v8box/{project}/{environment}/{worker}"
    )
    """Which secret a worker gets; its keys are the names of variables."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """All of it. `directory` is the served folder DIR; `data_directory` holds every byte of state."""

    directory: Path
    data_directory: Path
    box: Box
    sign_in: SignIn
    requests: Requests
    sandboxes: Sandboxes
    versions: Versions
    sites: Sites
    cdn: Cdn
    logs: Logs
    metrics: Metrics
    otlp: Otlp
    errors: Errors
    libsql: Libsql
    databases: Databases
    valkey: Valkey
    response_cache: ResponseCache
    s3: S3
    projects: Projects
    audit: Audit
    health: Health
    notifications: Notifications
    vault: Vault

    def db_url(self, port: int) -> str:
        """Where LibSQL clients reach the box, which listens on `port`."""
        return self._url("db", port)

    def s3_url(self, port: int) -> str:
        """Where S3 clients reach the box, which listens on `port`."""
        return self.s3.public_url.reveal() if self.s3.public_url is not None else self._url("s3", port)

    def _url(self, label: str, port: int) -> str:
        """By path on localhost: not every resolver knows the names below it."""
        local = self.box.domain == "localhost"
        return f"http://localhost:{port}/{label}" if local else f"https://{label}.{self.box.domain}"

    def run_url(self, port: int) -> str:
        """Where workers are called, in front of `/run/<worker>`; the box listens on `port`."""
        local = self.box.domain == "localhost"
        return f"http://localhost:{port}" if local else f"https://api.{self.box.domain}"

    def site_url(self, label: str, port: int) -> str:
        """Where a site or a preview answers in a browser, which knows the names below localhost."""
        local = self.box.domain == "localhost"
        return f"http://{label}.localhost:{port}/" if local else f"https://{label}.{self.box.domain}/"

    @property
    def functions_directory(self) -> Path:
        return self.directory / "functions"

    @property
    def pages_directory(self) -> Path:
        return self.directory / "pages"

    @property
    def file(self) -> Path:
        return self.directory / FILE_NAME


DATA_DIRECTORY: Final = ("V8BOX_DATA_DIR", "box.data_dir")
"""Where all state lives; relative to DIR. `DIR/data` by default: one folder to back up, beside what it belongs to."""

GROUPS: Final[Mapping[str, type[Any]]] = {
    "box": Box,
    "sign_in": SignIn,
    "requests": Requests,
    "sandboxes": Sandboxes,
    "versions": Versions,
    "sites": Sites,
    "cdn": Cdn,
    "logs": Logs,
    "metrics": Metrics,
    "otlp": Otlp,
    "errors": Errors,
    "libsql": Libsql,
    "databases": Databases,
    "valkey": Valkey,
    "response_cache": ResponseCache,
    "s3": S3,
    "projects": Projects,
    "audit": Audit,
    "health": Health,
    "notifications": Notifications,
    "vault": Vault,
}
