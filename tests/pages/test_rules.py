"""A site's own `v8box.toml` and `netlify.toml`."""

from __future__ import annotations

from collections.abc import Mapping

import pytest
from hypothesis import given
from hypothesis import strategies as st

from v8box.features.pages.content_types import compresses, content_type
from v8box.features.pages.rules import SiteRules, SiteRulesError, read_rules
from v8box.gateway.pages.release import Mount

OWN = """
[site]
html_handling = "drop-trailing-slash"
not_found_handling = "single-page-application"
security_headers = true
proxy_hosts = ["API.example.com"]
optimise = ["html", "images"]
mounts = [{ path = "/api/*", worker = "api" }, { path = "/*", worker = "rest", first = false }]

[[site.redirects]]
from = "/a/*"
to = "/b/:splat"
status = 302
force = true

[[site.headers]]
for = "/*"
values = { X-A = "1", X-B = ["2", "3"] }
"""


def read(**files: str) -> SiteRules:
    given: Mapping[str, str] = {"/" + name.replace("__", "."): text for name, text in files.items()}
    return read_rules(given.get)


def test_all_of_it() -> None:
    rules = read(v8box__toml=OWN, _redirects="/x /y")
    assert rules.settings.html_handling == "drop-trailing-slash"
    assert rules.settings.not_found_handling == "single-page-application"
    assert rules.settings.security_headers
    assert rules.settings.proxy_hosts == ("api.example.com",)
    assert rules.settings.mounts == (Mount("/api/*", "api"), Mount("/*", "rest", False))
    assert rules.settings.optimise == ("html", "images")
    assert [(rule.source, rule.status, rule.force) for rule in rules.redirects] == [
        ("/x", 301, False),
        ("/a/*", 302, True),
    ]
    assert rules.headers[0].headers == (("x-a", "1"), ("x-b", "2"), ("x-b", "3"))


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ("[sit]", "sit is not known; did you mean site?"),
        ("site = 1", "must be a table"),
        ("[site]\n\nstrict = 1", "v8box.toml:3: strict must be true or false"),
        ("[site]\ncompat = 'apache'", "compat must be one of netlify, cloudflare"),
        ("[site]\nmounts = [{ path = 'api', worker = 'a' }]", "begins with a slash"),
        ("[site]\nmounts = [{ path = '/api', worker = 'A b' }]", "no name of a worker"),
        ("[site]\nmounts = [{ path = '/api', workr = 'a' }]", "mounts[0]"),
        ("[site]\noptimise = ['video']", "optimise must be"),
        ("[site]\nproxy_hosts = ['localhost']", "no host name"),
        ("[site]\nproxy_hosts = ['api.example.com:8443']", "its port is the rule's"),
        ("[site]\nproxy_hosts = ['https://api.example.com/']", "no host name"),
        ("[site]\nproxy_hosts = ['a b.example']", "no host name"),
        ("[site]\nproxy_hosts = [1]", "list of host names"),
        ("[[site.redirects]]\nfrom = '/a'\nto = 'b'", "redirects[0]"),
        ("[[site.redirects]]\nfrom = '/a'\nto = '/b'\nstatus = 299", "299"),
        ("[[site.headers]]\nfor = '/*'\nvalues = { Content-Length = '1' }", "box's own"),
    ],
)
def test_what_is_not_known_is_an_error_with_its_line(text: str, fault: str) -> None:
    with pytest.raises(SiteRulesError) as raised:
        read(v8box__toml=text)
    assert fault in raised.value.detail
    assert "v8box.toml:" in raised.value.detail


def test_netlify() -> None:
    text = """
[build]
command = "npm run build"
[[redirects]]
from = "/store"
to = "/blog/:id"
query = { id = ":id" }
conditions = { Country = ["de"], Language = "en" }
[[redirects]]
from = "/bad"
to = "nowhere"
[[headers]]
for = "/*"
[headers.values]
X-A = "1"
"""
    rules = read(netlify__toml=text)
    assert rules.redirects[0].query == {"id": ":id"}
    assert rules.redirects[0].conditions == {"country": ("de",), "language": ("en",)}
    assert rules.headers[0].headers == (("x-a", "1"),)
    assert [(told.file, told.text) for told in rules.ignored] == [("/netlify.toml", "redirects[1]")]


def test_cloudflares_defaults() -> None:
    rules = read(v8box__toml="[site]\ncompat = 'cloudflare'", _redirects="/a /b")
    assert (rules.redirects[0].status, rules.redirects[0].force) == (302, True)


@given(st.text(max_size=200))
def test_no_text_breaks_it(text: str) -> None:
    for name in ("v8box__toml", "netlify__toml", "_redirects", "_headers"):
        try:
            read(**{name: text})
        except SiteRulesError:
            continue


@pytest.mark.parametrize(
    ("path", "type_", "packed"),
    [
        ("/a.html", "text/html; charset=utf-8", True),
        ("/A.HTML", "text/html; charset=utf-8", True),
        ("/a.mjs", "text/javascript; charset=utf-8", True),
        ("/a.json", "application/json", True),
        ("/a.svg", "image/svg+xml; charset=utf-8", True),
        ("/a.wasm", "application/wasm", True),
        ("/a.woff2", "font/woff2", False),
        ("/a.png", "image/png", False),
        ("/live/a.m3u8", "application/vnd.apple.mpegurl", True),
        ("/live/1.ts", "video/mp2t", False),
        ("/a.yml", "application/yaml", True),
        ("/a", "application/octet-stream", False),
        ("/.well-known/apple-app-site-association", "application/json", True),
    ],
)
def test_types(path: str, type_: str, packed: bool) -> None:
    assert (content_type(path), compresses(path)) == (type_, packed)


def test_a_fault_of_what_is_set_beside_the_files_is_told_as_that() -> None:
    with pytest.raises(SiteRulesError, match=r"^the settings of the site: proxy_hosts"):
        read_rules(lambda _: None, {"proxy_hosts": ["localhost"]})
    own = {"/v8box.toml": "[site]\nproxy_hosts = ['localhost']"}
    with pytest.raises(SiteRulesError, match=r"^v8box\.toml:2: proxy_hosts"):
        read_rules(own.get, {"proxy_hosts": ["api.example.com"]})
