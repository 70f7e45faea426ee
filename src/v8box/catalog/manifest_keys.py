"""Every key of the manifest, in one table: what it may hold, what it is when it is left out, what it means.

The reader (`manifest`), the JSON Schema for editors (`manifest_schema`) and docs/manifest.md follow it.
"""

from __future__ import annotations

import re
from typing import Any, Final

from v8box.catalog import manifest_values as values
from v8box.catalog.manifest_kinds import (
    REQUIRED,
    At,
    Each,
    Flag,
    Key,
    Map,
    Share,
    Table,
    Tables,
    Text,
    Whole,
    Word,
    texts,
)
from v8box.catalog.model import Limits, Manifest, Observability, Permissions
from v8box.catalog.policies import (
    CORS_HEADERS,
    CORS_METHODS,
    NO_CACHE,
    NO_RULES,
    Auth,
    CacheRules,
    Cors,
    ParamsSchema,
    PolicyRules,
    QueueConsumer,
    RateLimit,
    RequestRules,
    Schedule,
)
from v8box.kit import names

_DAY: Final = 86_400
_MOST: Final = 1_000_000_000


def _limit(name: str, low: int, high: int, doc: str) -> Key:
    return Key(name, Whole(low, high), getattr(Limits(), name), doc)


def _name_list(pattern: re.Pattern[str]) -> Each[str]:
    def parse(value: Any) -> str:
        if not isinstance(value, str) or not pattern.fullmatch(value):
            raise ValueError("is no name of one")
        return value

    return Each(parse, values.MAX_GRANTS, "names", {"type": "string", "pattern": f"^(?:{pattern.pattern})$"})


LIMITS: Final = Table(
    Limits,
    (
        _limit(
            "wall_ms", 1, 900_000, "How long a run may take."
        ),  # fifteen minutes: what other platforms allow at most
        _limit("cpu_ms", 1, 900_000, "How much processor time a run may use."),
        _limit("memory_mb", 16, 4_096, "Heap and buffers of one process."),  # an empty V8 takes a good part of 16
        _limit("startup_ms", 10, 60_000, "How long loading the module may take."),
        _limit("subrequests", 0, 100_000, "Outgoing connections of one run."),
        _limit("log_kb", 1, 65_536, "KiB of log of one run."),
        _limit("response_mb", 1, 10_240, "MiB of one response."),
        _limit("binding_calls", 0, 10_000_000, "Calls of db, cache and s3 in one run; for a WebSocket, per message."),
        _limit("binding_mb", 1, 1_048_576, "MiB that those calls may move, both ways together."),
        _limit("concurrency", 1, 10_000, "Runs at once in one process."),
        _limit("max_instances", 1, 64, "Processes of one version at most."),
    ),
)

OBSERVABILITY: Final = Table(
    Observability,
    (
        Key(
            "slow_ms",
            Whole(0, 900_000),
            Observability().slow_ms,
            "A run that takes longer is in the slow log; 0: none is.",
        ),
        Key(
            "sampling",
            Share(),
            Observability().sampling,
            "The share of its runs that is kept; those that failed are kept in any case.",
        ),
        Key("logs", Flag(), Observability().logs, "Whether what it prints is kept."),
    ),
)

PERMISSIONS: Final = Table(
    Permissions,
    (
        Key("net", values.Net(), "public", 'What may be reached: "public", "none", or a list of hosts.'),
        Key(
            "databases",
            _name_list(names.LABEL),
            (),
            "Databases of the project for db.use(name), beside the default one.",
        ),
        Key(
            "buckets", _name_list(names.BUCKET), (), "Buckets of the project for s3.use(name), beside the default one."
        ),
    ),
)

CORS: Final = Table(
    Cors,
    (
        Key(
            "origins",
            texts(values.read_origin, 100, "origins", values.ORIGIN_PATTERN),
            REQUIRED,
            'Which pages may call: "https://example.com", "https://*.example.com" (any subdomain), or "*".',
        ),
        Key(
            "methods",
            texts(values.read_method, 20, "methods", values.METHOD_PATTERN),
            CORS_METHODS,
            "Methods they may use.",
        ),
        Key(
            "headers",
            texts(values.read_header_name, 100, "header names", values.HEADER_PATTERN),
            CORS_HEADERS,
            "Request headers they may send.",
        ),
        Key(
            "expose",
            texts(values.read_header_name, 100, "header names", values.HEADER_PATTERN),
            (),
            "Response headers their scripts may read.",
        ),
        Key("credentials", Flag(), False, "Whether browsers send cookies along. Never with the origin *."),
        Key(
            "max_age_seconds",
            Whole(0, _DAY),
            Cors(origins=()).max_age_seconds,
            "How long a browser keeps the permission.",
        ),
    ),
    values.check_cors,
)

RATE_LIMIT: Final = Table(
    RateLimit,
    (
        Key("limit", Whole(1, _MOST), REQUIRED, "Requests in a window."),
        Key("window_seconds", Whole(1, 31 * _DAY), REQUIRED, "The window."),
        Key("burst", Whole(1, _MOST), 0, "How many may come at once.", shown="`limit`"),
        Key(
            "by",
            Text(values.read_by, "ip", values.BY_PATTERN),
            "ip",
            "Whose requests are counted together: an address (ip), an API key (key), a header's value (header:<Name>), "
            "or everybody's (worker).",
        ),
        Key("dry_run", Flag(), False, "Only count what would be refused."),
        Key("when_down", Word(("allow", "deny")), "allow", "What happens once Valkey has been away for five seconds."),
    ),
)

AUTH: Final = Table(
    Auth,
    (
        Key("api_key", Word(("none", "optional", "required")), "none", "Whether callers need an API key."),
        Key(
            "allow_ips", texts(values.read_network, 1_000, "addresses"), (), "Only these addresses or ranges may call."
        ),
        Key("deny_ips", texts(values.read_network, 1_000, "addresses"), (), "These addresses or ranges may not."),
    ),
)

REQUESTS: Final = Table(
    RequestRules,
    (
        Key("max_body_mb", Whole(0, 10_240), None, "MiB of a request's body.", shown="what the box accepts"),
        Key(
            "methods",
            texts(values.read_method, 20, "methods", values.METHOD_PATTERN),
            (),
            "Methods that are answered; GET brings HEAD along.",
            shown="any",
        ),
    ),
)

SCHEMA: Final = Table(
    ParamsSchema,
    (
        Key(
            "params",
            values.Params(),
            "",
            "What params must look like: a JSON Schema (2020-12), or a .json file beside.",
        ),
        Key(
            "export",
            Text(values.read_export, "", values.EXPORT_PATTERN),
            "",
            "The worker's export that says it: Zod or another Standard Schema, or a JSON Schema.",
        ),
    ),
    values.check_schema_table,
)


def _pattern_list(of: str) -> Each[str]:
    return texts(values.read_name_pattern, 100, of, values.NAME_PATTERN)


CACHE: Final = Table(
    CacheRules,
    (
        Key("enabled", Flag(), False, "Whether the box keeps answers, as their headers allow."),
        Key("default_ttl_seconds", Whole(0, 31 * _DAY), 0, "How long answers are kept that do not say it themselves."),
        Key(
            "vary_by_query",
            _pattern_list("names of parameters"),
            (),
            "The only query parameters that make another answer; `*` at the end stands for anything.",
            shown="all",
        ),
        Key("ignore_query", _pattern_list("names of parameters"), (), "Query parameters that do not."),
        Key(
            "bypass_cookies",
            _pattern_list("names of cookies"),
            (),
            "Requests with such a cookie are not answered from the cache.",
        ),
        Key("client_may_revalidate", Flag(), False, "Whether a request's `no-cache` makes the box ask the worker."),
        Key("keep_on_deploy", Flag(), False, "Whether answers outlive a deploy, a rollback and a change of variables."),
    ),
)

SCHEDULE: Final = Table(
    Schedule,
    (
        Key(
            "cron",
            Text(values.read_cron, ""),
            REQUIRED,
            "Five fields, six with seconds in front, or @hourly and its like.",
        ),
        Key("timezone", Text(values.read_timezone, "UTC"), "UTC", "An IANA time zone: Europe/Berlin."),
        Key("overlap", Word(("skip", "queue", "allow")), "skip", "What happens when the run before is not over."),
        Key(
            "catch_up", Word(("none", "last", "all")), "none", "Which of the runs are made up for that the box missed."
        ),
        Key(
            "retries",
            Each(
                values.read_backoff, 5, "milliseconds", {"type": "integer", "minimum": 0, "maximum": 3_600_000}, False
            ),
            (),
            "Milliseconds before each new try of a run that failed.",
        ),
        Key("jitter_s", Whole(0, 3_600), 0, "Seconds by which a run may start later, by chance."),
        Key("timeout_s", Whole(1, 900), 0, "Seconds a run may take.", shown="`limits.wall_ms`"),
    ),
)

QUEUE: Final = Table(
    QueueConsumer,
    (
        Key("queue", values.LABEL_TEXT, REQUIRED, "The queue whose messages the worker takes."),
        Key("batch_size", Whole(1, 100), 10, "Messages at a time."),
        Key("batch_wait_s", Whole(0, 60), 5, "Seconds to wait for a batch to fill."),
        Key("retries", Whole(0, 100), 3, "How often a message is given again."),
        Key("retry_delay_s", Whole(0, 43_200), 0, "Seconds before it is."),
        Key("dead_letter_queue", values.LABEL_TEXT, "", "Where messages go that failed every time.", shown="none"),
        Key("concurrency", Whole(1, 100), 1, "Batches at once."),
    ),
)


def _make(**found: Any) -> Manifest:
    schema: ParamsSchema = found.pop("schema") or ParamsSchema()
    rules = PolicyRules(
        cors=found.pop("cors"),
        rate_limits=found.pop("rate_limit"),
        auth=found.pop("auth"),
        requests=found.pop("requests"),
        schema=schema if schema != ParamsSchema() else None,
        error_pages=found.pop("errors"),
    )
    return Manifest(rules=NO_RULES if rules == NO_RULES else rules, **found)


def _check(manifest: Manifest, at: At) -> None:
    for name in manifest.bindings:
        if name in manifest.env:
            (at / "bindings" / name).fault("has the name of a variable in env")
    if sum(len(page.text) for page in manifest.rules.error_pages.values()) > values.MAX_PAGES_BYTES:
        (at / "errors").fault(f"has pages of more than {values.MAX_PAGES_BYTES // 1024} KB together")


_DEFAULT: Final = Manifest(entry="")

MANIFEST: Final = Table(
    _make,
    (
        Key(
            "entry",
            values.Entry(),
            "",
            "The main file, relative to the served folder.",
            shown="the file found in `functions/`",
        ),
        Key("limits", LIMITS, Limits(), "What the worker may use."),
        Key("permissions", PERMISSIONS, Permissions(), "What it may reach."),
        Key(
            "env",
            Map(values.read_variable, values.MAX_ENV_KEYS, "variables", {"type": "string"}, values.ENV_PATTERN),
            _DEFAULT.env,
            "Variables.",
        ),
        Key(
            "env_required",
            texts(values.read_variable_name, values.MAX_ENV_KEYS, "names of variables", values.ENV_PATTERN),
            (),
            "Variables and secrets without which the worker does not start.",
        ),
        Key(
            "bindings",
            Map(values.read_binding, values.MAX_BINDINGS, "of them", values.BINDING_SCHEMA, values.ENV_PATTERN),
            _DEFAULT.bindings,
            "Services as properties of env.",
        ),
        Key("cors", CORS, None, "Which pages of other origins may call."),
        Key("rate_limit", Tables(RATE_LIMIT, 10, single=True), (), "How often it may be called."),
        Key("auth", AUTH, Auth(), "Who may call."),
        Key("requests", REQUESTS, RequestRules(), "What a request may be."),
        Key("schema", SCHEMA, None, "What params must look like."),
        Key(
            "errors",
            Map(values.read_error_page, 50, "pages", {"type": "string"}, values.STATUS_PATTERN),
            _DEFAULT.rules.error_pages,
            "What browsers are shown instead of the box's errors: a status, 4xx or 5xx = a .html or .json file.",
        ),
        Key("cache", CACHE, NO_CACHE, "Which answers the box keeps."),
        Key("observability", OBSERVABILITY, Observability(), "What is kept of its runs."),
        Key("schedules", Tables(SCHEDULE, 50), (), "When it runs by itself."),
        Key("queues", Tables(QUEUE, 20), (), "Queues whose messages it takes."),
    ),
    _check,
)
