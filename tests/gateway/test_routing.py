"""From host and path to what answers."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from v8box.errors import BadRequest, NotFound
from v8box.gateway.routing import Router

LABEL = "[a-z0-9][a-z0-9_-]{0,62}"
ROUTE_KEY = re.compile(f"({LABEL}:)?{LABEL}(@[a-z0-9-]{{1,32}})?")
OPEN, DOMAIN = Router("localhost"), Router("example.com")


@pytest.mark.parametrize(
    ("host", "path", "worker", "rest"),
    [
        (b"localhost", b"/run/hello", "hello", "/"),
        (b"localhost:8000", b"/run/hello/", "hello", "/"),
        (b"127.0.0.1:8000", b"/run/hello/a/b", "hello", "/a/b"),
        (b"[::1]", b"/run/h", "h", "/"),
        (b"[::1]:8000", b"/run/h", "h", "/"),
        (b"api.localhost:8000", b"/run/h/", "h", "/"),
        (b"API.LOCALHOST", b"/run/h", "h", "/"),
        (b"localhost.", b"/run/h", "h", "/"),
        (b"my-machine.lan", b"/run/h", "h", "/"),
        (b"localhost", b"/run/h//x", "h", "//x"),
        (b"localhost", b"/run/h/%2e%2e/x", "h", "/%2e%2e/x"),
        (b"localhost", b"/run/h/caf\xc3\xa9", "h", "/caf\u00c3\u00a9"),
    ],
)
def test_workers_by_path_on_a_box_without_a_domain(host: bytes, path: bytes, worker: str, rest: str) -> None:
    target = OPEN.resolve(host, path)
    assert (target.worker, target.rest, target.prefix) == (worker, rest, f"/run/{worker}")


@pytest.mark.parametrize(
    ("host", "shared"), [(b"localhost", True), (b"127.0.0.1", True), (b"api.localhost", False), (b"x.lan", True)]
)
def test_where_workers_share_a_host_with_the_admin(host: bytes, shared: bool) -> None:
    assert OPEN.resolve(host, b"/run/h").shared_host is shared


@pytest.mark.parametrize("host", [b"api.example.com", b"API.Example.COM.", b"api.example.com:443"])
def test_workers_under_a_domain(host: bytes) -> None:
    target = DOMAIN.resolve(host, b"/run/hello/x")
    assert (target.worker, target.rest, target.shared_host) == ("hello", "/x", False)


@pytest.mark.parametrize(
    "host",
    [b"example.com", b"localhost", b"127.0.0.1", b"[::1]", b"api.example.com.evil.net", b"api-example.com", b"x."],
)
@pytest.mark.parametrize("path", [b"/run/hello", b"/health", b"/"])
def test_an_unknown_host_has_nothing(host: bytes, path: bytes) -> None:
    with pytest.raises(NotFound):
        DOMAIN.resolve(host, path)


@pytest.mark.parametrize("path", [b"/run/hello", b"/health", b"/admin", b"/api/v1/box", b"/pages/other/"])
def test_paths_do_not_answer_on_a_sites_host(path: bytes) -> None:
    target = OPEN.resolve(b"site.localhost:8000", path)
    assert (target.site, target.rest, target.prefix) == ("site", path.decode(), "")
    assert (target.worker, target.mount, target.shared_host) == ("", None, False)
    with pytest.raises(NotFound):
        OPEN.resolve(b"a.b.localhost", path)


@pytest.mark.parametrize(
    ("path", "site", "prefix", "rest"),
    [
        (b"/pages/blog", "blog", "/pages/blog", ""),
        (b"/pages/blog/", "blog", "/pages/blog", "/"),
        (b"/pages/blog/a/b", "blog", "/pages/blog", "/a/b"),
        (b"/pages/draft--blog/a", "draft--blog", "/pages/draft--blog", "/a"),
    ],
)
def test_sites_by_path_on_a_box_without_a_domain(path: bytes, site: str, prefix: str, rest: str) -> None:
    target = OPEN.resolve(b"localhost:8000", path)
    assert (target.site, target.prefix, target.rest, target.shared_host) == (site, prefix, rest, True)
    assert OPEN.resolve(b"localhost", b"/pages/a_b/").site is None
    with pytest.raises(NotFound):
        DOMAIN.resolve(b"localhost", path)


def test_sites_by_host() -> None:
    assert DOMAIN.resolve(b"blog.example.com", b"/a").site == "blog"
    assert DOMAIN.resolve(b"draft--blog.example.com:443", b"/a").site == "draft--blog"
    assert DOMAIN.resolve(b"admin.example.com", b"/a").site is None
    assert DOMAIN.resolve(b"staging--api.example.com", b"/run/h").worker == "h@staging"
    with pytest.raises(NotFound):
        DOMAIN.resolve(b"a.blog.example.com", b"/a")


def test_host_names_of_somebodys_own_answer_once_they_are_known() -> None:
    known: set[str] = set()
    router = Router("example.com", lambda: known)
    with pytest.raises(NotFound):
        router.resolve(b"www.other.org", b"/a")
    known.add("www.other.org")
    assert router.resolve(b"WWW.other.org:8000", b"/a").site == "www.other.org"
    known.clear()
    router.forget()
    with pytest.raises(NotFound):
        router.resolve(b"www.other.org", b"/a")


def test_what_programs_of_the_machine_ask() -> None:
    assert DOMAIN.resolve(b"127.0.0.1:8000", b"/internal/tls/ask").mount == "internal"
    assert DOMAIN.resolve(b"blog.example.com", b"/.well-known/v8box/x").mount == "internal"
    # A site's own folder, and a bucket, may be called so.
    assert DOMAIN.resolve(b"blog.example.com", b"/internal/notes.html").site == "blog"
    assert DOMAIN.resolve(b"s3.example.com", b"/internal/notes.txt").mount == "s3"


@pytest.mark.parametrize("host", [b"admin.localhost", b"admin.localhost.", b"ADMIN.localhost:8000"])
def test_the_admin_host_runs_no_worker(host: bytes) -> None:
    with pytest.raises(NotFound):
        OPEN.resolve(host, b"/run/hello")
    assert OPEN.resolve(host, b"/health").worker == ""


def test_the_api_host_has_no_pages() -> None:
    with pytest.raises(NotFound):
        DOMAIN.resolve(b"api.example.com", b"/health")


@pytest.mark.parametrize(
    ("router", "host", "path", "mount", "prefix"),
    [
        (OPEN, b"localhost", b"/admin/database/databases", "admin", ""),
        (OPEN, b"127.0.0.1:8000", b"/admin", "admin", ""),
        (OPEN, b"admin.localhost", b"/admin/x", "admin", ""),
        (OPEN, b"admin.localhost", b"/healthy", "admin", ""),
        (OPEN, b"localhost", b"/administer", None, ""),
        (OPEN, b"localhost", b"admin/x", None, ""),
        (OPEN, b"localhost", b"/db/v2/pipeline", "db", "/db"),
        (OPEN, b"localhost", b"/s3", "s3", "/s3"),
        (OPEN, b"db.localhost:8000", b"/v2", "db", ""),
        (OPEN, b"s3.localhost", b"/run/hello", "s3", ""),
        (OPEN, b"admin.localhost", b"/db/v2", "admin", ""),
        (DOMAIN, b"db.example.com", b"/crm/v3/pipeline", "db", ""),
        (DOMAIN, b"s3.example.com", b"/db/key", "s3", ""),
        (DOMAIN, b"admin.example.com", b"/admin/s3/buckets", "admin", ""),
        (DOMAIN, b"admin.example.com", b"/s3/bucket", "admin", ""),
        (DOMAIN, b"admin.example.com", b"/health", None, ""),
        (OPEN, b"admin.localhost", b"/metrics", None, ""),
    ],
)
def test_the_boxs_own_applications(router: Router, host: bytes, path: bytes, mount: str | None, prefix: str) -> None:
    target = router.resolve(host, path)
    assert (target.worker, target.mount, target.prefix) == ("", mount, prefix)


@pytest.mark.parametrize(
    "host",
    [b"", b"a b", b"a/b", b"user@host", b"host:port", b"host:123456", b"[::1", b"::1", b"h\xc3\xa9", b"a,b", b"a\x00",
     b"[::1]x", b"http://localhost", b"a" * 254, b"localhost:", b"[g::1]", b"localhost:65536", b"[::1]:65536",
     b".", b"..", b"a..b", b".lan", b"localhost..", b"999.999.999.999", b"1.2.3.4.5", b"box.1", b"1.2.3.09",
     b"4294967296", b"0x1ff.0.0.1", b"[1:2]", b"[:::]", b"[1.2.3.4]", b"xn--", b"xn--a", b"xn--zzzzzz.lan"],
)  # fmt: skip
def test_what_is_no_host_name_is_refused(host: bytes) -> None:
    with pytest.raises(BadRequest):
        OPEN.resolve(host, b"/run/hello")


@pytest.mark.parametrize(
    "host",
    [b"localhost:65535", b"localhost:0", b"127.0.0.1.", b"127.1", b"0x7f.0.0.1", b"[::ffff:1.2.3.4]:80", b"_", b"-a-",
     b"box-1.lan", b"a.0x1g", b"xn--strae-oqa.lan", b"xn--mnchen-3ya", b"XN--LS8H"],
)  # fmt: skip
def test_what_a_url_can_hold_is_a_host_name(host: bytes) -> None:
    assert OPEN.resolve(host, b"/run/hello").worker == "hello"


def test_a_request_without_a_host_is_refused() -> None:
    with pytest.raises(BadRequest):
        OPEN.resolve(None, b"/run/hello")


@pytest.mark.parametrize(
    "name", [b"", b"-a", b"_a", b"A", b"a.b", b"a b", b"%61", b"..", b"a" * 64, b"h\xc3\xa9", b"a\x00", b"a;b", b"a\n"]
)
def test_what_is_no_name_is_refused(name: bytes) -> None:
    with pytest.raises(BadRequest):
        OPEN.resolve(b"localhost", b"/run/" + name + b"/x")


@pytest.mark.parametrize("path", [b"/run", b"/RUN/hello", b"//run/hello", b"/x/run/hello", b"run/hello", b"*", b""])
def test_other_paths_lead_to_no_worker(path: bytes) -> None:
    assert OPEN.resolve(b"localhost", path).worker == ""


@given(st.binary(max_size=40), st.binary(max_size=60))
def test_any_host_and_path_lead_somewhere_or_are_refused(host: bytes, path: bytes) -> None:
    for router in (OPEN, DOMAIN):
        try:
            target = router.resolve(host, path)
        except (BadRequest, NotFound):
            continue
        assert target.worker == "" or ROUTE_KEY.fullmatch(target.worker)


def test_what_is_remembered_is_bounded_and_answers_the_same() -> None:
    router = Router("localhost")
    first = router.resolve(b"localhost", b"/run/hello/x")
    assert router.resolve(b"localhost", b"/run/hello/x") is first
    for number in range(10_000):
        router.resolve(b"localhost", b"/run/hello/%d" % number)
    router.resolve(b"localhost", b"/run/hello/" + b"x" * 5000)
    assert len(router._remembered) <= 4096
    assert router.resolve(b"localhost", b"/run/hello/x").rest == "/x"
