from __future__ import annotations

import ipaddress
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from v8box.catalog import (
    BadWorkerName,
    EnvBinding,
    Fault,
    Limits,
    Manifest,
    ManifestError,
    Permissions,
    WorkerTable,
    box_tables,
    check_worker_name,
    own_table,
)
from v8box.catalog.manifest import RANGES
from v8box.kit.toml import parse


def read(text: str, entry: str | None = "functions/hello.ts") -> Manifest:
    return own_table(text, "functions/hello/v8box.toml").manifest(entry)


def faults(text: str, entry: str | None = "functions/hello.ts") -> list[tuple[int | None, str]]:
    with pytest.raises(ManifestError) as caught:
        read(text, entry)
    return [(fault.line, fault.message) for fault in caught.value.faults]


def test_everything_has_a_default() -> None:
    assert read("") == Manifest(entry="functions/hello.ts")
    assert read("").limits == Limits()


def test_a_whole_manifest() -> None:
    text = """
[workers.hello]
entry = "./src/hello.ts"
[workers.hello.limits]
wall_ms = 2000
memory_mb = 4096
[workers.hello.permissions]
net = ["API.example.com", "*.example.org:443", "1.1.1.1", "[2606:4700::1111]:53", "api.example.com"]
[workers.hello.env]
GREETING = "hi"
EMPTY = ""
"""
    manifest = box_tables(text, "v8box.toml")["hello"].manifest("functions/hello.ts")
    assert manifest == Manifest(
        entry="src/hello.ts",
        limits=Limits(wall_ms=2000, memory_mb=4096),
        permissions=Permissions(net=("api.example.com", "*.example.org:443", "1.1.1.1", "[2606:4700::1111]:53")),
        env={"GREETING": "hi", "EMPTY": ""},
    )
    with pytest.raises(TypeError):
        manifest.env["A"] = "b"  # type: ignore[index]


def test_every_fault_is_told_with_its_line() -> None:
    text = """entri = "x"
[limits]
wall_ms = 0
cpu_ms = "1"
memory_mb = true
wall = 1
[permissions]
read = true
[env]
LD_X = "a"
B = 1
"""
    assert faults(text) == [
        (1, "entri is not known; did you mean entry?"),
        (6, "limits.wall is not known; did you mean wall_ms?"),
        (3, "limits.wall_ms must be a whole number from 1 to 900000"),
        (4, "limits.cpu_ms must be a whole number from 1 to 900000"),
        (5, "limits.memory_mb must be a whole number from 16 to 4096"),
        (8, "permissions.read is not known"),
        (10, "env.LD_X is reserved: V8BOX_ DENO_ LD_ OTEL_ belong to the platform"),
        (11, "env.B must be a text, in quotes"),
    ]


def test_one_workers_faults_are_no_other_workers() -> None:
    tables = box_tables('[workers.a]\nentry = 5\n[workers.b]\nentry = "b.ts"\n[workers]\nc = 1\n', "v8box.toml")
    assert tables["b"].manifest(None).entry == "b.ts"
    for name, line in (("a", 2), ("c", 6)):
        with pytest.raises(ManifestError, match=rf"^v8box.toml:{line}: ") as caught:
            tables[name].manifest("functions/x.ts")
        assert caught.value.status == 400


@pytest.mark.parametrize("text", ["[workers", "workers = 5", "a = 1\na = 2"])
def test_a_file_that_is_no_manifest(text: str) -> None:
    with pytest.raises(ManifestError, match=r"^v8box.toml:\d+: "):
        box_tables(text, "v8box.toml")


@pytest.mark.parametrize(("key", "bounds"), RANGES.items())
def test_limits_have_ranges(key: str, bounds: tuple[int, int]) -> None:
    low, high = bounds
    assert low <= getattr(Limits(), key) <= high
    for value in bounds:
        assert getattr(read(f"limits.{key} = {value}").limits, key) == value
    for value in (low - 1, high + 1):
        assert faults(f"limits.{key} = {value}")[0][1].startswith(f"limits.{key} must be")


@pytest.mark.parametrize(
    "entry", ["/etc/passwd", "../x.ts", "a/../../x.ts", "x.py", "x", "", "a\n.ts", "x.d", "a\0.ts"]
)
def test_an_entry_stays_in_the_folder(entry: str) -> None:
    assert faults(f"entry = {json.dumps(entry)}")[0][1].startswith("entry must be a file in the served folder")


def test_an_entry_is_needed() -> None:
    assert faults("", entry=None)[0][1].startswith("entry is missing")


@pytest.mark.parametrize(
    "host",
    [
        "localhost", "a.localhost", "box.local", "db.internal", "intranet", "*", "*.com", "a.*.com", "https://a.com",
        "a.com/x", "a.com:", "a.com:0", "a.com:65536", "a.com:x", "user@a.com", "a.com,b.com", "a b.com", "",
        "münchen.de", "127.0.0.1", "10.0.0.1", "192.168.1.1:80", "169.254.169.254", "100.64.0.1", "0.0.0.0",
        "224.0.0.1", "240.0.0.1", "127.1", "2130706433", "0x7f.1", "0177.0.0.1", "1.1.1.0/24", "1.1.1.1.",
        "256.1.1.1", "[::1]", "[fc00::1]", "[fe80::1]:80", "[::ffff:127.0.0.1]", "[::ffff:1.1.1.1]", "[::]",
        "2606:4700::1", "[zz]", "a.0x7f000001", "-a.com", "a-.com", "a..com", ".com", "a.com.", "\x00.com", "a.com\n",
    ],
)  # fmt: skip
def test_hosts_that_cannot_be_granted(host: str) -> None:
    told = faults(f"permissions.net = [{json.dumps(host)}]")
    assert len(told) == 1
    assert told[0][0] == 1
    assert told[0][1].startswith("permissions.net: ")


@given(st.integers(0, 2**32 - 1).map(ipaddress.IPv4Address), st.integers(1, 65_535))
def test_an_address_is_granted_when_it_is_public(address: ipaddress.IPv4Address, port: int) -> None:
    text = f'permissions.net = ["{address}:{port}"]'
    if address.is_global and not address.is_multicast:
        assert read(text).permissions.net == (f"{address}:{port}",)
    else:
        assert "not a public address" in faults(text)[0][1]


@pytest.mark.parametrize(("written", "read_as"), [('"public"', "public"), ('"none"', "none"), ("[]", "none")])
def test_words_for_the_network(written: str, read_as: str) -> None:
    assert read(f"permissions.net = {written}").permissions.net == read_as


@pytest.mark.parametrize("written", ['"all"', "true", "5", "{}", "[5]", "[['a.com']]", str(["a.com"] * 101)])
def test_what_says_nothing_about_the_network(written: str) -> None:
    assert faults(f"permissions.net = {written}")[0][1].startswith("permissions.net")


def test_an_environment_has_bounds() -> None:
    longest, key = "é" * (8 * 1024), "K" * 128
    assert read(f'[env]\n{key} = "{longest}"').env == {key: longest}
    assert "longer than 16 KB" in faults(f'[env]\nA = "{longest}x"')[0][1]
    assert "is no variable's name" in faults(f'[env]\n{key}K = "x"')[0][1]
    assert "may hold 256" in faults("[env]\n" + "".join(f'A{i} = "x"\n' for i in range(257)))[0][1]
    for name in ("A-B", "1A", "A B", "", "Ä", "A=B"):
        assert "is no variable's name" in faults(f'[env]\n{json.dumps(name)} = "x"')[0][1]
    for name in ("V8BOX_X", "deno_x", "LD_PRELOAD", "OTEL_A"):
        assert "is reserved" in faults(f'[env]\n{name} = "x"')[0][1]
    assert "NUL" in faults('[env]\nA = "\\u0000"')[0][1]


@given(st.text(max_size=70))
def test_a_worker_name_is_what_the_contract_says(name: str) -> None:
    allowed = "abcdefghijklmnopqrstuvwxyz0123456789"
    good = 1 <= len(name) <= 63 and name[0] in allowed and all(c in allowed + "-_" for c in name)
    if good:
        assert check_worker_name(name) == name
    else:
        with pytest.raises(BadWorkerName):
            check_worker_name(name)


@pytest.mark.parametrize("name", ["a", "0", "a-b_c", "admin", "x" * 63])
def test_good_names(name: str) -> None:
    assert check_worker_name(name) == name


@pytest.mark.parametrize("name", ["", "-a", "_a", "A", "a.b", "a/b", "..", "a\n", "é", "x" * 64, "a\0"])
def test_bad_names(name: str) -> None:
    with pytest.raises(BadWorkerName):
        check_worker_name(name)


anything = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=2) | st.dictionaries(st.sampled_from(["net", "entry", "wall_ms", "A"]), inner)
    ),
    max_leaves=6,
)


@given(st.dictionaries(st.sampled_from(["entry", "limits", "permissions", "env", "bindings"]), anything))
def test_any_values_are_a_manifest_or_faults(values: dict[str, object]) -> None:
    table = WorkerTable("v8box.toml", values, parse("")[1], ())
    faults: tuple[Fault, ...] = ()
    try:
        manifest = table.manifest("functions/x.ts")
    except ManifestError as error:
        faults = error.faults
    if not faults:
        assert not manifest.entry.startswith("/")
        assert all(isinstance(value, str) for value in manifest.env.values())


def test_databases_and_buckets_are_granted_by_name() -> None:
    manifest = read('permissions = { databases = ["crm", "crm", "shop_2"], buckets = ["mail.in"] }')
    assert manifest.permissions == Permissions(databases=("crm", "shop_2"), buckets=("mail.in",))


@pytest.mark.parametrize("value", ['"crm"', '["Crm"]', '["../x"]', "[1]", '[""]', f'["{"a" * 64}"]'])
def test_what_is_no_name_of_a_database_is_refused(value: str) -> None:
    assert faults(f"permissions.databases = {value}")[0][1].startswith("permissions.databases")


def test_bindings_are_services_in_env() -> None:
    manifest = read("""
env = { A = "1" }
[bindings]
DB = { database = "crm" }
KV = { kv = "sessions" }
FILES = { bucket = "uploads" }
""")
    assert manifest.bindings == {
        "DB": EnvBinding(kind="database", name="crm"),
        "KV": EnvBinding(kind="kv", name="sessions"),
        "FILES": EnvBinding(kind="bucket", name="uploads"),
    }


@pytest.mark.parametrize(
    ("written", "told"),
    [
        ('DB = "crm"', "bindings.DB must be { database"),
        ('DB = { d1 = "crm" }', "bindings.DB must be { database"),
        ('DB = { database = "crm", kv = "a" }', "bindings.DB must be { database"),
        ('DB = { database = "CRM" }', "bindings.DB names a database 'CRM'"),
        ('DB = { bucket = "a" }', "bindings.DB names a bucket 'a'"),
        ('V8BOX_DB = { database = "crm" }', "bindings.V8BOX_DB is reserved"),
        ('"a-b" = { database = "crm" }', "bindings.a-b is no variable's name"),
        ('A = { database = "crm" }', "bindings.A has the name of a variable in env"),
    ],
)
def test_what_is_no_binding_is_refused(written: str, told: str) -> None:
    assert faults(f'env.A = "1"\n[bindings]\n{written}')[0][1].startswith(told)
