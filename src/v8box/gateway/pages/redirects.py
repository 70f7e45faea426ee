"""`_redirects`: reading a file of rules, and finding the rule for a request.

The grammar is Netlify's, `from [query k=v …] [to] [status[!]] [conditions k=v …]`, with Cloudflare's defaults as a
switch and one extension, `~expression to status`, matched in linear time (RE2). Rules are read top-down and the first
that fits wins; a line that cannot be read is told with its number, and never guessed at.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Final, Literal
from urllib.parse import parse_qsl, quote, unquote, urlencode, urlsplit

import msgspec
import re2

from v8box.gateway.pages.patterns import PLACEHOLDER, SPLAT, PatternError
from v8box.gateway.pages.sources import HostedPatterns, check_source, placeholders_of, split_source

Compat = Literal["netlify", "cloudflare"]

MAX_RULES: Final = 10_000
MAX_LINE: Final = 2_000
STATUSES: Final = frozenset({200, 301, 302, 303, 307, 308, 404, 410, 451})
_DEFAULT_STATUS: Final[Mapping[Compat, int]] = {"netlify": 301, "cloudflare": 302}
_STATUS: Final = re.compile(r"([0-9]{1,5})(!?)")
_PAIR: Final = re.compile(r"([^=\s]+)=(.*)")
_INDEX: Final = re.compile(r"/index(\.html)?$")
_HEAD: Final = re.compile(r"https?://[A-Za-z0-9.:_\[\]-]+")
_GROUP: Final = re.compile(r"\$[1-9]")
_SAFE: Final = "!#$%&'()*+,/:;=?@[]~-._"
_CONDITIONS: Final = ("country", "language", "role", "cookie")
_RESERVED: Final = "/.well-known/v8box"
_MAX_EXPRESSION_MEMORY: Final = 1 << 20


class Redirect(msgspec.Struct, omit_defaults=True, frozen=True):
    """One rule. `source`: a path, a URL with a host, or `~` and an expression."""

    line: int
    source: str
    target: str
    status: int
    force: bool = False
    query: dict[str, str] = {}
    conditions: dict[str, tuple[str, ...]] = {}

    @property
    def proxies(self) -> bool:
        """Whether its answer is fetched from another host."""
        return self.status == 200 and self.target.startswith(("http://", "https://"))


class Ignored(msgspec.Struct, frozen=True):
    """A line that is not a rule, and why."""

    line: int
    text: str
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """What the rules look at of a request. `path` as it was sent, without the query."""

    host: str
    path: str
    query: str = ""
    country: str = ""
    languages: tuple[str, ...] = ()
    cookies: frozenset[str] = frozenset()
    roles: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class Found:
    """The rule that fits, and where it leads: a path with its query, or a URL."""

    rule: Redirect
    place: str


class TooManyRules(ValueError):
    """A site has up to 10,000 redirect rules. Use placeholders: one rule with :name or * stands for many."""


def parse(text: str, compat: Compat = "netlify") -> tuple[list[Redirect], list[Ignored]]:
    """The rules of a file and the lines that are none. Raises `TooManyRules`."""
    rules: list[Redirect] = []
    ignored: list[Ignored] = []
    for number, line in enumerate(text.removeprefix("\ufeff").splitlines(), 1):
        words = list(_words(line))
        if not words:
            continue
        try:
            if len(line) > MAX_LINE:
                raise PatternError(f"a rule has up to {MAX_LINE} characters")
            rules.append(_read(number, words, compat))
        except PatternError as error:
            ignored.append(Ignored(number, line.strip()[:200], str(error)))
        if len(rules) > MAX_RULES:
            raise TooManyRules(TooManyRules.__doc__)
    return rules, ignored


def make(
    line: int,
    source: str,
    target: str,
    status: int,
    *,
    force: bool = False,
    query: Mapping[str, str] | None = None,
    conditions: Mapping[str, Sequence[str]] | None = None,
) -> Redirect:
    """A rule of parts, as `netlify.toml` has them. Raises `PatternError`."""
    _check_source(source)
    target = _check_target(source, target, status)
    if status not in STATUSES:
        raise PatternError(f"the status {status} is none of {', '.join(map(str, sorted(STATUSES)))}")
    _check_placeholders(source, target, query or {})
    known = {name.lower(): tuple(values) for name, values in (conditions or {}).items()}
    unknown = [name for name in known if name not in _CONDITIONS]
    if unknown:
        raise PatternError(f"{unknown[0]} is no condition: country, language, role and cookie are")
    return Redirect(line, source, target, status, force, dict(query or {}), known)


def _words(line: str) -> Iterator[str]:
    for word in line.split():
        if word.startswith("#"):
            return
        yield word


def _read(number: int, words: Sequence[str], compat: Compat) -> Redirect:
    source, *rest = words
    query: dict[str, str] = {}
    while rest and not _is_target(rest[0]) and not _STATUS.fullmatch(rest[0]) and (pair := _PAIR.fullmatch(rest[0])):
        query[pair[1]] = pair[2]
        rest = rest[1:]
    target = None
    if rest and _is_target(rest[0]):
        target, *rest = rest
    status, force = _DEFAULT_STATUS[compat], False
    if rest and (match := _STATUS.fullmatch(rest[0])):
        status, force = int(match[1]), bool(match[2])
        rest = rest[1:]
    if target is None:
        if rest:
            raise PatternError(f"{rest[0][:80]} is neither a path, a URL, a status nor k=v")
        if not (source.endswith("/*") and status == 200):
            raise PatternError("there is nowhere to go: a path or a URL is missing")
        target = f"/:{SPLAT}"
    conditions: dict[str, tuple[str, ...]] = {}
    for word in rest:
        pair = _PAIR.fullmatch(word)
        if pair is None:
            raise PatternError(f"{word[:80]} is no condition: Country=, Language=, Role= and Cookie= are")
        conditions[pair[1].lower()] = tuple(value for value in pair[2].split(",") if value)
    if compat == "cloudflare" and not (status == 200 and source.endswith(("/", "/*")) and _INDEX.search(target)):
        force = True  # but the page of an application would go before all of its files: Cloudflare refuses such a rule
    return make(number, source, target, status, force=force, query=query, conditions=conditions)


def _is_target(word: str) -> bool:
    return word.startswith(("/", "http://", "https://"))


def _check_source(source: str) -> None:
    if source.startswith("~"):
        _compile(source)
        return
    if source.startswith("/") and ("?" in source or "#" in source):
        raise PatternError("a query is written as k=v behind the path")
    check_source(source)
    if unquote(split_source(source)[1]).startswith(_RESERVED):
        raise PatternError(f"{_RESERVED} belongs to the box")


def _compile(source: str) -> re2._Regexp:
    options = re2.Options()
    options.max_mem = _MAX_EXPRESSION_MEMORY
    options.log_errors = False
    try:
        return re2.compile(source[1:], options)
    except re2.error as error:
        raise PatternError(f"the expression cannot be used: {str(error)[:120]}") from error


def _check_target(source: str, target: str, status: int) -> str:
    """Gives it as it stands in a URL: what people write in their own script is encoded."""
    if target.startswith("/"):
        if target.startswith(("//", "/\\")):
            raise PatternError("a path to go to begins with one slash")
        return quote(target, safe=_SAFE)
    head, tail = _split_target(target)
    fixed = head[:-2] if source.startswith("~") and _GROUP.fullmatch(head[-2:]) else head  # https://example.com$1
    try:
        parts = urlsplit(fixed + tail)
        if PLACEHOLDER.search(parts.netloc) or (source.startswith("~") and _GROUP.search(parts.netloc)):
            raise PatternError("the host of a URL to go to is fixed")
        host, port = parts.hostname, parts.port
    except ValueError as error:
        raise error if isinstance(error, PatternError) else PatternError("that is no URL") from error
    if not host or parts.username is not None or port == 0:
        raise PatternError("a URL to go to has a host, and no user")
    if status in (404, 410, 451):
        raise PatternError(f"a {status} shows a page of the site, not one of elsewhere")
    if not _HEAD.fullmatch(fixed):
        raise PatternError("the host of a URL to go to is in ASCII (xn--… for others)")
    return head + quote(tail, safe=_SAFE)


def _split_target(target: str) -> tuple[str, str]:
    """A URL's scheme and host, and what comes behind."""
    behind = re.compile("[/?#]").search(target, target.find("://") + 3)
    return (target, "") if behind is None else (target[: behind.start()], target[behind.start() :])


def _check_placeholders(source: str, target: str, query: Mapping[str, str]) -> None:
    if source.startswith("~"):
        return
    given = placeholders_of(source) | {value[1:] for value in query.values() if value.startswith(":")}
    path = _split_target(target)[1] if target.startswith("http") else target
    missing = [name for name in PLACEHOLDER.findall(path) if name not in given]
    if missing:
        raise PatternError(f":{missing[0]} is not in what it comes from")


class Redirects:
    """The rules of one release, ready to be asked."""

    def __init__(self, rules: Sequence[Redirect], hits: list[int] | None = None) -> None:
        self.rules = tuple(rules)
        self.hits = [0] * len(self.rules) if hits is None else hits
        """How often each rule was the one."""
        self._patterns = HostedPatterns(
            (place, rule.source) for place, rule in enumerate(rules) if rule.source[0] != "~"
        )
        self._expressions = [
            (place, _compile(rule.source)) for place, rule in enumerate(rules) if rule.source[0] == "~"
        ]

    def find(
        self, asked: Asked, wanted: Callable[[Redirect], bool] = lambda _: True, looked_at: set[str] | None = None
    ) -> Found | None:
        """The first rule that fits and is `wanted`. `looked_at` gets the conditions that this depended on."""
        if not self.rules:
            return None
        for place, held in self._candidates(asked):
            rule = self.rules[place]
            if not wanted(rule):
                continue
            if looked_at is not None:
                looked_at.update(rule.conditions)
            taken = _query_fits(rule, asked)
            if taken is None or not _conditions_fit(rule, asked):
                continue
            self.hits[place] += 1
            return Found(rule, _fill(rule.target, {**held, **taken}, asked, rule))
        return None

    def _candidates(self, asked: Asked) -> list[tuple[int, Mapping[str, str]]]:
        found = self._patterns.matches(asked.host, asked.path)
        for place, expression in self._expressions:
            match = expression.search(asked.path)
            if match is not None:
                found.append((place, {str(number): value or "" for number, value in enumerate(match.groups(), 1)}))
        if self._expressions:
            found.sort(key=lambda each: each[0])
        return found


def _query_fits(rule: Redirect, asked: Asked) -> dict[str, str] | None:
    """What the rule's placeholders in the query stand for; None when the query does not fit."""
    if not rule.query:
        return {}
    given = dict(parse_qsl(asked.query, keep_blank_values=True))
    taken: dict[str, str] = {}
    for name, value in rule.query.items():
        if name not in given:
            return None
        if value.startswith(":"):
            taken[value[1:]] = quote(given[name], safe="")
        elif value != given[name]:
            return None
    return taken


def _conditions_fit(rule: Redirect, asked: Asked) -> bool:
    for name, values in rule.conditions.items():
        lower = {value.lower() for value in values}
        if name == "country":
            fits = asked.country.lower() in lower
        elif name == "language":
            fits = any(
                language.lower() in lower or language.split("-")[0].lower() in lower for language in asked.languages[:1]
            )
        elif name == "role":
            fits = not asked.roles.isdisjoint(values)
        else:
            fits = not asked.cookies.isdisjoint(values)
        if not fits:
            return False
    return True


def _fill(target: str, held: Mapping[str, str], asked: Asked, rule: Redirect) -> str:
    head, tail = _split_target(target) if target.startswith("http") else ("", target)
    if rule.source.startswith("~"):
        if _GROUP.fullmatch(head[-2:]):  # https://example.com$1
            head, tail = head[:-2], head[-2:] + tail
        tail = _GROUP.sub(lambda match: held.get(match[0][1], ""), tail)
        if head and tail and tail[0] not in "/?#":  # what a path brought must not become a part of the host
            tail = "/" + tail
    elif ":" in tail:
        tail = PLACEHOLDER.sub(lambda match: held.get(match[1], match[0]), tail)
    place = head + tail
    if place.startswith("/"):  # what a placeholder brought must not make a host of it
        place = "/" + place.lstrip("/\\")
    return place if "?" in place or not asked.query else _with_query(place, asked, rule)


def _with_query(place: str, asked: Asked, rule: Redirect) -> str:
    """The rest of the query goes along."""
    query = asked.query
    if rule.query:
        kept = [(name, value) for name, value in parse_qsl(query, keep_blank_values=True) if name not in rule.query]
        query = urlencode(kept)
    if not query:
        return place
    base, mark, fragment = place.partition("#")
    return f"{base}?{query}{mark}{fragment}"
