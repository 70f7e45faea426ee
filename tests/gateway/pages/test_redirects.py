"""`_redirects`: what a file says, and which rule a request finds."""

from __future__ import annotations

import re
from collections.abc import Sequence
from urllib.parse import quote, unquote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from v8box.gateway.pages.patterns import PatternError, check_pattern
from v8box.gateway.pages.redirects import MAX_RULES, Asked, Redirect, Redirects, TooManyRules, parse


def lead(text: str, path: str, **asked: object) -> tuple[int, str, int] | None:
    """Line, place and status of the rule that a request finds."""
    rules, ignored = parse(text)
    assert ignored == []
    path, _, query = path.partition("?")
    known: dict[str, object] = {"host": "example.com", "path": path, "query": query, **asked}
    found = Redirects(rules).find(Asked(**known))  # type: ignore[arg-type]
    return None if found is None else (found.rule.line, found.place, found.rule.status)


@pytest.mark.parametrize(
    ("text", "path", "place", "status"),
    [
        ("/home /", "/home", "/", 301),
        ("/home / 302", "/home/", "/", 302),
        ("/home/ /x", "/home", "/x", 301),
        ("/a /b 301 # why", "/a", "/b", 301),
        ("/blog/* /news/:splat", "/blog/2024/x", "/news/2024/x", 301),
        ("/blog/* /news/:splat", "/blog", "/news/", 301),
        ("/* /index.html 200", "/deep/link", "/index.html", 200),
        ("/* 200", "/deep/link", "/deep/link", 200),
        ("/n/:year/:month /p/:month-:year", "/n/2024/05", "/p/05-2024", 301),
        ("/n/:year-:month /p/:month/:year", "/n/2024-05", "/p/05/2024", 301),
        ("/store id=:id /blog/:id 301", "/store?id=my-post", "/blog/my-post", 301),
        ("/store id=:id /blog/:id 301", "/store?id=a%2Fb&x=1", "/blog/a%2Fb?x=1", 301),
        ("/a /b", "/a?x=1&y=2", "/b?x=1&y=2", 301),
        ("/a /b?z=1", "/a?x=1", "/b?z=1", 301),
        ("/a https://other.example/x 307", "/a", "https://other.example/x", 307),
        ("/a/* https://other.example:8443/:splat", "/a/b/c", "https://other.example:8443/b/c", 301),
        ("/gone / 410", "/gone", "/", 410),
        ("/caf%C3%A9 /ok", "/caf%c3%a9", "/ok", 301),
        ("/x/:a /y/:a", "/x/caf%C3%A9%20%2F", "/y/caf%C3%A9%20%2F", 301),
        ("/img*  /pictures/:splat", "/imgs/a", "/pictures/s/a", 301),
        ("/docs/*.html /d/:splat", "/docs/a/b.html", "/d/a/b", 301),
        ("~^/old/(\\d+)$ /new/$1 301", "/old/17", "/new/17", 301),
        ("/force /x 200!", "/force", "/x", 200),
        # The rest of a path is what stands there, with the slash at its end: elsewhere that may be another page.
        ("/api/* https://api.example/:splat 200", "/api/users/", "https://api.example/users/", 200),
        ("/old/* /new/:splat", "/old/a/b/", "/new/a/b/", 301),
        ("/old/* /new/:splat", "/old/", "/new/", 301),
        (
            "/go/* https://archive.example/:splat",
            "/go/https://a.example/x/",
            "https://archive.example/https://a.example/x/",
            301,
        ),
        ("/a/:b /c/:b", "/a/x/", "/c/x", 301),
        # Whoever writes rules writes them in his own script.
        ("/lama /\u65b0\u3057\u3044?q=\u00e9#\u00fc", "/lama", "/%E6%96%B0%E3%81%97%E3%81%84?q=%C3%A9#%C3%BC", 301),
        ("/\u65b0 /x", "/%E6%96%B0", "/x", 301),
        ("/a https://other.example/\u00e9/%C3%A9", "/a", "https://other.example/%C3%A9/%C3%A9", 301),
        ("/in id=:id https://auth.example?next=:id", "/in?id=7", "https://auth.example?next=7", 301),
        ("~^/go(.*)$ https://good.example$1 301", "/go/x", "https://good.example/x", 301),
        ("~^/go(.*)$ https://good.example$1 301", "/go", "https://good.example", 301),
    ],
)
def test_a_rule_leads_somewhere(text: str, path: str, place: str, status: int) -> None:
    assert lead(text, path) == (1, place, status)


@pytest.mark.parametrize(
    ("text", "path"),
    [
        ("/home /", "/Home"),
        ("/home /", "/home/x"),
        ("/n/:year /p", "/n/"),
        ("/n/:year /p", "/n/2024/05"),
        ("/store id=:id /blog/:id", "/store"),
        ("/store id=5 /blog", "/store?id=6"),
        ("~^/old/(\\d+)$ /new/$1", "/old/x"),
        ("/a%2Fb /x", "/a/b"),
    ],
)
def test_a_rule_that_does_not_fit(text: str, path: str) -> None:
    assert lead(text, path) is None


def test_the_first_rule_that_fits_wins() -> None:
    text = "/a/* /first/:splat\n/a/b /second\n~^/a/b$ /third"
    assert lead(text, "/a/b") == (1, "/first/b", 301)
    assert lead("\n\n/a/b /second\n/a/* /first", "/a/b") == (3, "/second", 301)
    assert lead("~b$ /x\n/a/b /y", "/a/b") == (1, "/x", 301)


def test_conditions() -> None:
    rules = (
        "/de 302 Country=de,at",
        "/fr 302 Language=fr",
        "/in 200! Role=admin",
        "/beta 302 Cookie=beta,b",
        "/en 302",
    )
    text = "\n".join(f"/ {rule}" for rule in rules)
    assert lead(text, "/", country="AT") == (1, "/de", 302)
    assert lead(text, "/", languages=("fr-CA", "de")) == (2, "/fr", 302)
    assert lead(text, "/", roles=frozenset({"admin"})) == (3, "/in", 200)
    assert lead(text, "/", cookies=frozenset({"beta"})) == (4, "/beta", 302)
    assert lead(text, "/", languages=("de", "fr")) == (5, "/en", 302)


def test_a_rule_for_one_host() -> None:
    text = "http://blog.example.com/* https://www.example.com/blog/:splat 301!\n/* /x 200"
    assert lead(text, "/a", host="blog.example.com") == (1, "https://www.example.com/blog/a", 301)
    assert lead(text, "/a", host="example.com") == (2, "/x", 200)


@pytest.mark.parametrize(
    "path", ["//evil.example", "/%2Fevil.example", "/%5Cevil.example", "/\\evil.example", "///evil"]
)
def test_a_path_never_becomes_a_host(path: str) -> None:
    for text in ("/* /:splat 301", "/:a /:a 301", "/* 200", "/*x /:splat"):
        rules, _ = parse(text)
        found = Redirects(rules).find(Asked(host="h", path=path))
        if found is not None:
            assert not re.match(r"[/\\]{2}", unquote(found.place[:1]) + found.place[1:2].replace("\\", "/")), (
                found.place
            )


@pytest.mark.parametrize("path", ["/go.evil.example/x", "/go@evil.example", "/go:8080", "/go\\evil.example"])
def test_what_an_expression_takes_of_a_path_never_becomes_a_part_of_the_host(path: str) -> None:
    found = lead("~^/go(.*)$ https://good.example$1 301", path)
    assert found is not None
    assert found[1].startswith("https://good.example/")


def test_what_the_answer_depended_on_is_told() -> None:
    rules, _ = parse("/a /b 302 Language=de Cookie=x\n/c /d 302 Country=de\n/c /e 200!\n/f /g 302 Role=admin")
    for path, wanted in (("/a", {"language", "cookie"}), ("/c", {"country"}), ("/nothing", set())):
        looked_at: set[str] = set()
        Redirects(rules).find(Asked(host="h", path=path), looked_at=looked_at)
        assert looked_at == wanted


@pytest.mark.parametrize(
    ("host", "place"),
    [
        ("shop.pages.example", "/of/shop"),
        ("SHOP.pages.example", "/of/SHOP"),
        ("a.b.pages.example", None),
        ("pages.example", None),
        ("shop.pages.example.", "/of/shop"),
    ],
)
def test_a_placeholder_in_a_host_is_one_label(host: str, place: str | None) -> None:
    found = lead("https://:name.pages.example/* /of/:name 302", "/x", host=host)
    assert (None if found is None else found[1]) == place


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        ("~^/(.*)$ https://$1/ 301", "has a host"),
        ("~^/(.*)$ https://a.$1.example/ 301", "host of a URL"),
        ("~^/(.*)$ https://$1.example/ 301", "host of a URL"),
        ("/a https://m\u00fcnchen.example/", "xn--"),
        ("https:///x /b", "a host and a path"),
        ("https://a..example/x /b", "a host and a path"),
        ("https://:a.example/:a /b", "stands once"),
        ("https://*.example/* /b", "one *"),
        ("/a", "nowhere to go"),
        ("/a 200", "nowhere to go"),
        ("/a/* 404", "nowhere to go"),
        ("a /b", "begins with a slash"),
        ("/a b", "neither a path"),
        ("/a //evil.example", "one slash"),
        ("/a http://user:1@x/", "no user"),
        ("/a /b 299", "status 299"),
        ("/a /b 301 nonsense", "no condition"),
        ("/a /b 301 Weather=fine", "no condition"),
        ("/a/:x/:x /b", "stands once"),
        ("/a/*/b/* /c", "one *"),
        ("/a /b/:c", ":c is not in"),
        ("/a /b/:splat", ":splat is not in"),
        ("/a/* https://:splat/ 301", "host of a URL"),
        ("/a http://[x/ 301", "no URL"),
        ("/a/* https://:splat.example/ 301", "host of a URL"),
        ("/a/* https://x/:splat 404", "not one of elsewhere"),
        ("~( /b", "cannot be used"),
        ("/.well-known/v8box/x /b", "belongs to the box"),
        ("/a?x=1 /b", "query is written"),
        ("/" + "x" * 2_000 + " /b", "2000 characters"),
    ],
)
def test_a_line_that_is_no_rule_is_told_with_its_number(line: str, reason: str) -> None:
    rules, ignored = parse(f"/fine /x\n{line}\n/fine2 /y")
    assert [rule.line for rule in rules] == [1, 3]
    (told,) = ignored
    assert told.line == 2
    assert reason in told.reason
    assert len(told.text) <= 200


def test_cloudflare_says_302_and_redirects_before_files() -> None:
    ((rule,), _) = parse("/a /b", "cloudflare")
    assert (rule.status, rule.force) == (302, True)
    # Of an application's page for all paths Cloudflare wants nothing: it would go before every script.
    for line in ("/* /index.html 200", "/app/* /app/index 200"):
        ((rule,), _) = parse(line, "cloudflare")
        assert not rule.force
    ((rule,), _) = parse("/* /app/:splat 200", "cloudflare")
    assert rule.force


def test_rules_have_a_bound() -> None:
    assert len(parse("/a /b\n" * MAX_RULES)[0]) == MAX_RULES
    with pytest.raises(TooManyRules):
        parse("/a /b\n" * (MAX_RULES + 1))


def test_hits_are_counted() -> None:
    redirects = Redirects(parse("/a /b\n/c /d")[0])
    for _ in range(3):
        redirects.find(Asked(host="h", path="/c"))
    assert redirects.hits == [0, 3]


# ---- against a matcher that is slow and obvious

SEGMENT = st.sampled_from(["a", "b", "c", "a-b", "caf%C3%A9", "x%2Fy"])
SOURCE_PART = st.one_of(SEGMENT, st.sampled_from([":one", ":two", "p-:three"]))


@st.composite
def sources(draw: st.DrawFn) -> str:
    parts = draw(st.lists(SOURCE_PART, max_size=4))
    names = re.findall(r":\w+", "/".join(parts))
    if len(set(names)) != len(names):
        parts = [part for part in parts if ":" not in part]
    return "/" + "/".join([*parts, *draw(st.sampled_from([[], ["*"], ["a*"]]))])


PATHS = st.lists(st.one_of(SEGMENT, st.sampled_from(["p-q", "abc", ""])), max_size=5).map(
    lambda parts: "/" + "/".join(parts)
)


def slow(rules: Sequence[Redirect], path: str) -> int | None:
    for rule in rules:
        if fits(rule.source.strip("/").split("/") if rule.source.strip("/") else [], [*split(path)]):
            return rule.line
    return None


def split(path: str) -> list[str]:
    return path.strip("/").split("/") if path.strip("/") else []


def fits(source: list[str], path: list[str]) -> bool:
    if not source:
        return not path
    head = source[0]
    if head == "*" and len(source) == 1:
        return True
    if not path:
        return False
    if head.endswith("*") and len(source) == 1:
        return unquote(path[0]).startswith(unquote(head[:-1]))
    if head.startswith(":"):
        return path[0] != "" and fits(source[1:], path[1:])
    if ":" in head:
        start = head.split(":")[0]
        return unquote(path[0]).startswith(start) and len(unquote(path[0])) > len(start) and fits(source[1:], path[1:])
    return unquote(head) == unquote(path[0]) and fits(source[1:], path[1:])


@given(st.lists(sources(), max_size=30), st.lists(PATHS, min_size=1, max_size=10))
def test_the_tree_finds_what_the_obvious_matcher_finds(found: list[str], paths: list[str]) -> None:
    rules, ignored = parse("\n".join(f"{source} /to" for source in found))
    assert ignored == []
    redirects = Redirects(rules)
    for path in paths:
        answer = redirects.find(Asked(host="h", path=path))
        assert (None if answer is None else answer.rule.line) == slow(rules, path)


@given(st.text(max_size=300), st.text(max_size=50))
def test_no_text_and_no_path_breaks_it(text: str, path: str) -> None:
    rules, ignored = parse(text)
    assert len(rules) + len(ignored) <= len(text.splitlines())
    Redirects(rules).find(Asked(host="h", path="/" + quote(path), query=path))


@given(st.text(alphabet="/:*ab-%2F.", max_size=30), st.text(alphabet="/ab-%2F.", max_size=30))
def test_patterns_of_any_form(pattern: str, path: str) -> None:
    try:
        check_pattern(pattern)
    except PatternError:
        return
    rules, _ = parse(f"{pattern} /to")
    Redirects(rules).find(Asked(host="h", path=path))
