"""The tables that say under which rules a worker is called, and what of them is stored."""

from __future__ import annotations

import contextlib
import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from v8box.catalog import Manifest, ManifestError, WorkerTable, box_tables, deno_table, own_table
from v8box.catalog.manifest import no_files
from v8box.catalog.manifest_keys import MANIFEST
from v8box.catalog.manifest_kinds import REQUIRED, Key, Table, Tables
from v8box.catalog.manifest_schema import manifest_schema, rendered
from v8box.catalog.policies import (
    NO_RULES,
    Auth,
    CacheRules,
    Cors,
    ErrorPage,
    ParamsSchema,
    QueueConsumer,
    RateLimit,
    RequestRules,
    Schedule,
)
from v8box.catalog.stored import encode, plain_manifest, read_manifest
from v8box.catalog.warnings import warnings_of
from v8box.kit.toml import parse

ROOT = Path(__file__).parents[2]
FILES = {
    "a.html": b"<h1>no</h1>",
    "b.json": b'{"no": true}',
    "schema.json": b'{ "type": "object" } // params',
    "broken.json": b"{",
    "bytes.html": b"\xff",
    "big.html": b"x" * 65_537,
}


def read_file(name: str) -> bytes:
    if name not in FILES:
        raise ValueError(f"names {name}, and there is no such file")
    return FILES[name]


def read(text: str) -> Manifest:
    return own_table(text, "v8box.toml", read_file).manifest("functions/hello.ts")


def faults(text: str) -> list[tuple[int | None, str]]:
    with pytest.raises(ManifestError) as caught:
        read(text)
    return [(fault.line, fault.message) for fault in caught.value.faults]


WHOLE = """
env_required = ["STRIPE_KEY", "DSN"]
[cors]
origins = ["https://a.com", "https://*.b.com:8443", "capacitor://localhost"]
methods = ["GET", "POST"]
headers = ["X-Tenant", "content-type"]
expose = ["X-Total"]
credentials = true
max_age_seconds = 60
[[rate_limit]]
limit = 5
window_seconds = 60
[[rate_limit]]
limit = 100
window_seconds = 1
burst = 200
by = "header:X-Tenant"
dry_run = true
when_down = "deny"
[auth]
api_key = "required"
allow_ips = ["203.0.113.7", "2001:db8::/32"]
deny_ips = ["10.0.0.0/8"]
[requests]
max_body_mb = 1
methods = ["GET", "PROPFIND"]
[schema.params]
type = "object"
properties.age.type = "integer"
[errors]
404 = "a.html"
5xx = "b.json"
[[schedules]]
cron = "@daily"
timezone = "Europe/Berlin"
overlap = "queue"
catch_up = "last"
retries = [1000, 1000, 60000]
jitter_s = 5
timeout_s = 60
[[queues]]
queue = "mails"
batch_size = 50
"""


def test_a_whole_manifest() -> None:
    manifest = read(WHOLE)
    rules = manifest.rules
    assert manifest.env_required == ("STRIPE_KEY", "DSN")
    assert rules.cors == Cors(
        origins=("https://a.com", "https://*.b.com:8443", "capacitor://localhost"),
        methods=("GET", "POST"),
        headers=("x-tenant", "content-type"),
        expose=("x-total",),
        credentials=True,
        max_age_seconds=60,
    )
    assert rules.rate_limits == (
        RateLimit(limit=5, window_seconds=60),
        RateLimit(limit=100, window_seconds=1, burst=200, by="header:x-tenant", dry_run=True, when_down="deny"),
    )
    assert rules.auth == Auth(
        api_key="required", allow_ips=("203.0.113.7/32", "2001:db8::/32"), deny_ips=("10.0.0.0/8",)
    )
    assert rules.requests == RequestRules(max_body_mb=1, methods=("GET", "PROPFIND"))
    assert rules.schema == ParamsSchema(params='{"properties":{"age":{"type":"integer"}},"type":"object"}')
    assert rules.error_pages == {
        "404": ErrorPage(file="a.html", text="<h1>no</h1>"),
        "5xx": ErrorPage(file="b.json", text='{"no": true}'),
    }
    assert manifest.schedules == (
        Schedule(
            cron="0 0 * * *",
            timezone="Europe/Berlin",
            overlap="queue",
            catch_up="last",
            retries=(1000, 1000, 60000),
            jitter_s=5,
            timeout_s=60,
        ),
    )
    assert manifest.queues == (QueueConsumer(queue="mails", batch_size=50),)


def test_one_limit_may_be_a_table() -> None:
    assert read("[rate_limit]\nlimit = 1\nwindow_seconds = 1").rules.rate_limits == (
        RateLimit(limit=1, window_seconds=1),
    )


def test_what_asks_for_nothing_has_the_rules_of_nobody() -> None:
    for text in ("", "rate_limit = []\n[auth]\n[requests]\n[schema]\n[errors]", 'auth.api_key = "none"'):
        assert read(text).rules is NO_RULES


def test_every_fault_has_its_line() -> None:
    text = """env_required = ["A-B"]
[cors]
origin = ["https://a.com"]
origins = ["https://a.com",
  "https://b.com/"]
[[rate_limit]]
limit = 0
window_seconds = 60
[[rate_limit]]
limit = 5
by = "keys"
[errors]
404 = "none.html"
[[schedules]]
cron = "61 * * * *"
[[schedules]]
crom = "* * * * *"
"""
    assert faults(text) == [
        (1, "env_required: 'A-B' is no variable's name: letters, digits and underscore, 128 bytes at most"),
        (3, "cors.origin is not known; did you mean origins?"),
        (
            5,
            "cors.origins: 'https://b.com/' must be an origin in lower case, like https://example.com or "
            'https://*.example.com, or "*"',
        ),
        (7, "rate_limit[0].limit must be a whole number from 1 to 1000000000"),
        (9, "rate_limit[1].window_seconds is missing"),
        (11, 'rate_limit[1].by must be "ip", "key", "worker" or "header:<Name>"'),
        (13, "errors.404 names none.html, and there is no such file"),
        (15, "schedules[0].cron is no cron line: Bad minute"),
        (17, "schedules[1].crom is not known; did you mean cron?"),
        (16, "schedules[1].cron is missing"),
    ]


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("cors = 5", "cors must be a table"),
        ("[cors]", "cors.origins is missing"),
        ("cors.origins = []", "cors.origins is empty"),
        ('cors = { origins = ["*"], credentials = true }', "cors.credentials cannot be true with the origin *"),
        ('cors.origins = ["null"]', "cors.origins: 'null' is what every sandboxed page"),
        ('cors.origins = ["HTTPS://a.com"]', "cors.origins: 'HTTPS://a.com' must be an origin in lower case"),
        ('cors.origins = ["https://a.com:443"]', "cors.origins: 'https://a.com:443' has the port 443"),
        ('cors.origins = ["https://*"]', "cors.origins: 'https://*' must be an origin"),
        ('cors.origins = ["https://a.*.com"]', "cors.origins: 'https://a.*.com' must be an origin"),
        ("cors.origins = [5]", "cors.origins: 5 must be a text"),
        ('cors = { origins = ["*"], methods = ["get"] }', "cors.methods: 'get' must be a method in capitals"),
        ('cors = { origins = ["*"], methods = ["TRACE"] }', "cors.methods: 'TRACE' must be a method"),
        ('cors = { origins = ["*"], headers = ["a b"] }', "cors.headers: 'a b' is no name of a header"),
        ("rate_limit = 5", "rate_limit must be up to 10 tables"),
        ("rate_limit = [5]", "rate_limit[0] must be a table"),
        ('auth.api_key = "yes"', 'auth.api_key must be "none", "optional" or "required"'),
        ('auth.allow_ips = ["10.0.0.1/8"]', "auth.allow_ips: '10.0.0.1/8' is no address or range"),
        ('auth.allow_ips = ["::ffff:1.2.3.4"]', "auth.allow_ips: '::ffff:1.2.3.4' is an IPv4 address"),
        ("requests.max_body_mb = -1", "requests.max_body_mb must be a whole number"),
        ('schema = { params = true, export = "a" }', "schema has params and an export"),
        ('schema.export = "a-b"', "schema.export must be the name of an export"),
        ('schema.params = "a.toml"', "schema.params must be a JSON Schema, or the name of a .json file"),
        ('schema.params = "../a.json"', "schema.params must name a file beside the manifest"),
        ('schema.params = "/a.json"', "schema.params must name a file beside the manifest"),
        ('schema.params = "broken.json"', "schema.params names broken.json, which is no JSON: line 1"),
        ("schema.params.type = 5", "schema.params is no JSON Schema"),
        ("schema.params.const = 2026-01-01", "schema.params is no JSON"),
        ('errors.700 = "a.html"', "errors.700 is no status of an error"),
        ('errors.4XX = "a.html"', "errors.4XX is no status of an error"),
        ('errors.404 = "a.txt"', "errors.404 must be the name of a .html or .json file"),
        ('errors.404 = "bytes.html"', "errors.404 names bytes.html, which is no text"),
        ('errors.404 = "big.html"', "errors.404 names big.html, which is longer than 64 KB"),
        ('errors.404 = "broken.json"', "errors.404 names broken.json, which is no JSON"),
        ('schedules = [{ cron = "0 0 30 2 *" }]', "schedules[0].cron is no cron line"),
        ('schedules = [{ cron = "* * * * *", timezone = "Mars" }]', "schedules[0].timezone must be an IANA time zone"),
        ('schedules = [{ cron = "* * * * *", retries = [-1] }]', "schedules[0].retries: -1 must be a whole number"),
        ("cache.enabled = 1", "cache.enabled must be true or false"),
        ("cache.default_ttl_seconds = -1", "cache.default_ttl_seconds must be a whole number"),
        ('cache.ignore_query = ["a*b"]', "cache.ignore_query: 'a*b' is no name"),
        ('cache.vary_by_query = "a"', "cache.vary_by_query must be a list"),
        ('cache.bypass_cookies = ["a=b"]', "cache.bypass_cookies: 'a=b' is no name"),
        ("cache.ttl = 5", "cache.ttl is not known"),
        ('queues = [{ queue = "A" }]', "queues[0].queue must be a name"),
        ("[[queues]]", "queues[0].queue is missing"),
    ],
)
def test_what_is_refused(text: str, told: str) -> None:
    found = faults(text)
    assert len(found) == 1
    assert found[0][1].startswith(told)


def test_a_schema_may_be_a_file() -> None:
    assert read('schema.params = "schema.json"').rules.schema == ParamsSchema(params='{"type":"object"}')


def test_pages_are_bounded_together(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(FILES, "big.html", b"x" * 60_000)
    text = "[errors]\n" + "".join(f'{status} = "big.html"\n' for status in range(400, 405))
    assert faults(text)[0][1] == "errors has pages of more than 256 KB together"


def test_a_manifest_without_its_folder_names_no_files() -> None:
    with pytest.raises(ManifestError, match="without its folder"):
        own_table('errors.404 = "a.html"', "v8box.toml").manifest("x.ts")


def test_the_block_in_a_deno_json() -> None:
    text = '{\n  // of the worker\n  "imports": {},\n  "v8box": {\n    "limits": { "wall_ms": 5 },\n  },\n}'
    table = deno_table(text, "deno.json", read_file)
    assert table is not None
    assert table.manifest("x.ts").limits.wall_ms == 5
    bad = deno_table(text.replace("5", '"5"'), "functions/a/deno.json", read_file)
    assert bad is not None
    with pytest.raises(ManifestError, match=r"^functions/a/deno.json:5: limits.wall_ms must be"):
        bad.manifest("x.ts")


@pytest.mark.parametrize("text", ['{"imports": {}}', "[]", "{", ""])
def test_a_deno_json_without_the_block(text: str) -> None:
    assert deno_table(text, "deno.json") is None


def test_a_broken_deno_json_with_the_block_is_told() -> None:
    with pytest.raises(ManifestError, match=r"^deno.json:2: "):
        deno_table('{"v8box":\n}', "deno.json")


def test_kept_answers() -> None:
    assert read("").cache == CacheRules()
    text = 'cache = { enabled = true, default_ttl_seconds = 60, ignore_query = ["utm_*", "*"], keep_on_deploy = true }'
    rules = CacheRules(enabled=True, default_ttl_seconds=60, ignore_query=("utm_*", "*"), keep_on_deploy=True)
    manifest = read(text)
    assert manifest.cache == rules
    assert read_manifest(encode(plain_manifest(manifest)).decode()) == manifest


# ---- stored


def test_what_is_stored_reads_the_same() -> None:
    manifest = read(WHOLE)
    text = encode(plain_manifest(manifest)).decode()
    assert read_manifest(text) == manifest
    assert plain_manifest(read_manifest(text)) == plain_manifest(manifest)


def test_a_manifest_of_before_has_the_id_that_it_had() -> None:
    plain = plain_manifest(read("env.A = '1'"))
    assert sorted(plain) == ["bindings", "entry", "env", "limits", "permissions"]
    old = '{"entry":"a.ts","env":{},"limits":{"wall_ms":5},"permissions":{"net":"public"}}'
    assert read_manifest(old).rules is NO_RULES


def test_warnings() -> None:
    manifest = read(WHOLE)
    missing, schedules, queues = warnings_of(manifest, ["DSN"], "staging")
    assert missing == "STRIPE_KEY is not set in staging: the worker does not start until it is"
    assert "schedules" in schedules
    assert "queues" in queues
    assert warnings_of(read('env_required = ["A"]\nenv.A = "1"'), [], "production") == ()
    assert warnings_of(read('env_required = ["A"]\nenv.A = ""'), [], "production") != ()


# ---- the table of keys, the schema, the reference


def keys_of(table: Table[Any], prefix: str = "") -> list[tuple[str, Key]]:
    found: list[tuple[str, Key]] = []
    for key in table.keys:
        kind = key.kind.table if isinstance(key.kind, Tables) else key.kind
        if isinstance(kind, Table):
            found += keys_of(kind, f"{prefix}{key.name}.")
        else:
            found.append((prefix + key.name, key))
    return found


@pytest.mark.parametrize(("name", "key"), keys_of(MANIFEST))
def test_a_key_is_in_the_reference_with_its_default(name: str, key: Key) -> None:
    text = (ROOT / "docs" / "manifest.md").read_text()
    row = next((line for line in text.splitlines() if line.startswith((f"| `{name}` |", f"| `{name}."))), "")
    if name == "errors":
        assert "`errors.<status>`" in text
        return
    assert row, f"docs/manifest.md has no row for {name}"
    default = row.split("|")[2].strip()
    if key.shown:
        assert default == key.shown
    elif key.default is REQUIRED:
        assert default == "needed"
    elif isinstance(key.default, str | int) and key.default != "":
        assert default == f"`{json.dumps(key.default)}`"


def test_the_schema_is_that_of_the_keys() -> None:
    assert (ROOT / "docs" / "v8box.schema.json").read_text() == rendered(), "run: make gen"


def validator() -> Any:
    import jsonschema_rs

    return jsonschema_rs.Draft202012Validator(manifest_schema())


def box_validator() -> Any:
    import jsonschema_rs

    schema = manifest_schema()
    box = schema["$defs"]["box"]["properties"]["workers"]["additionalProperties"]
    assert box == {"$ref": "#"}
    return jsonschema_rs.Draft202012Validator(schema)


def test_the_examples_fit_the_schema() -> None:
    values, _ = parse((ROOT / "examples" / "v8box.toml").read_text())
    for worker in values["workers"].values():
        assert validator().is_valid(worker)
    assert validator().is_valid(parse(WHOLE)[0])
    assert box_tables((ROOT / "examples" / "v8box.toml").read_text(), "v8box.toml")


json_values: st.SearchStrategy[Any] = (
    st.none() | st.booleans() | st.integers(-1, 10) | st.text(max_size=3) | st.just([]) | st.just({})
)


def of(*values: Any) -> st.SearchStrategy[Any]:
    """Values of which some are right, and any others."""
    return st.sampled_from(values) | json_values


def table(**keys: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    return st.fixed_dictionaries({}, optional={**keys, "typo": json_values}) | json_values


manifests = table(
    entry=of("a.ts", "b/main.js"),
    limits=table(wall_ms=of(5, 900_000, 900_001), memory_mb=of(15, 16)),
    permissions=table(net=of("public", ["a.com"]), databases=of(["crm"], ["Crm"], [1])),
    env=st.dictionaries(st.sampled_from(["A", "B_1", "1A", "V8BOX_X", "ld_x", "A-B"]), of("x")),
    env_required=of(["A"], ["A-B"], ["OTEL_X"], [1]),
    bindings=st.dictionaries(
        st.sampled_from(["DB", "d-b"]), of({"kv": "a"}, {"d1": "a"}, {"kv": "a", "bucket": "abc"}, {"bucket": "ab"})
    ),
    cors=table(
        origins=of(["https://a.com"], ["*"], ["https://*.a.com"], ["x"], ["https://A.com"], ["https://a.com/"]),
        methods=of(["GET"], ["get"], ["TRACE"]),
        credentials=of(False),
        max_age_seconds=of(86_401),
    ),
    rate_limit=table(limit=of(1, 0), window_seconds=of(1), by=of("ip", "key", "header:X-A", "header:", "ips"))
    | st.lists(table(limit=of(1), window_seconds=of(1), burst=of(0, 1), when_down=of("deny")), max_size=2),
    auth=table(api_key=of("required", "maybe"), deny_ips=of(["10.0.0.0/8"], [5])),
    requests=table(max_body_mb=of(0, 10_241), methods=of(["GET"], ["get"])),
    schema=table(params=of({"type": "object"}, True)) | table(export=of("schema", "a-b")),
    errors=st.dictionaries(st.sampled_from(["404", "5xx", "600", "4XX"]), of("a.html")),
    schedules=st.lists(table(cron=of("* * * * *"), overlap=of("skip"), retries=of([1], [-1])), max_size=2),
    queues=st.lists(table(queue=of("mails", "Mails"), batch_size=of(1, 101)), max_size=2),
)


@given(manifests)
def test_reader_and_schema_agree(values: Any) -> None:
    """What the reader takes, the schema takes; what the schema refuses, the reader refuses. Where the reader alone
    refuses, it is something a schema cannot say."""
    if not isinstance(values, dict):
        return
    values.setdefault("entry", "x.ts")
    told: list[str] = []
    try:
        WorkerTable("v8box.toml", values, parse("")[1], (), read_file).manifest("x.ts")
    except ManifestError as error:
        told = [fault.message for fault in error.faults]
    fits = validator().is_valid(values)
    assert fits or told, "the schema refuses what the reader takes"
    if fits:
        # files beside it, the syntax of hosts, ranges and cron lines, and what keys say of each other
        subtle = ("cron", "errors.", "net:", "_ips:", "is empty", "credentials cannot", "schema.params")
        assert all(any(word in message for word in subtle) for message in told), told


toml_texts = st.text(alphabet='[]{}="\n.,#abcors_limit019 -', max_size=120)


@given(toml_texts)
def test_any_text_is_a_manifest_or_faults(text: str) -> None:
    for read_text in (own_table, deno_table):
        with contextlib.suppress(ManifestError):
            found = read_text(text, "v8box.toml", no_files)
            if found is not None:
                found.manifest("functions/x.ts")
