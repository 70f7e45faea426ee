"""What a site's own files say of how it is served: `_redirects`, `_headers`, `v8box.toml`, `netlify.toml`.

Read once, when it is deployed. Lines of the old formats that are no rules are reported with their numbers; in
`v8box.toml` anything that is not known is an error, with its line.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Callable, Mapping, Sequence, Set
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any, Final, get_args

from v8box.errors import BadRequest
from v8box.features.pages.function_manifests import FunctionManifests, no_manifests
from v8box.gateway.pages import headers as header_rules
from v8box.gateway.pages import redirects as redirect_rules
from v8box.gateway.pages.headers import HeaderBlock
from v8box.gateway.pages.patterns import PatternError, check_pattern
from v8box.gateway.pages.redirects import Ignored, Redirect
from v8box.gateway.pages.release import HtmlHandling, Mount, NotFoundHandling, SiteSettings
from v8box.kit import names, toml

REDIRECTS: Final = "/_redirects"
HEADERS: Final = "/_headers"
OWN: Final = "/v8box.toml"
NETLIFY: Final = "/netlify.toml"
RULE_FILES: Final = frozenset({REDIRECTS, HEADERS, OWN, NETLIFY})
MAX_RULE_BYTES: Final = 4 * 1024 * 1024
_SITE_KEYS: Final = frozenset(
    {
        *("html_handling", "not_found_handling", "compat", "strict", "security_headers", "proxy_hosts"),
        *("mounts", "redirects", "headers", "optimise", "functions"),
    }
)
SETTINGS: Final = _SITE_KEYS - {"redirects", "headers", "functions"}
"""What may also be set for a site outside of its files."""
_OPTIMISE: Final = frozenset({"html", "css", "js", "svg", "images"})
_MAX_MOUNTS: Final = 100
_HOST: Final = re.compile(r"(?=.{4,253}$)([a-z0-9_]([a-z0-9_-]{0,61}[a-z0-9_])?\.)+[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?")


class SiteRulesError(BadRequest):
    """The site's rules have faults; all of them are listed."""

    code = "site_rules"


@dataclass(frozen=True, slots=True, kw_only=True)
class Told:
    """A line that counts for nothing, and why."""

    file: str
    line: int
    text: str
    reason: str


@dataclass(slots=True, kw_only=True)
class SiteRules:
    """All of it, read."""

    settings: SiteSettings = field(default_factory=SiteSettings)
    redirects: list[Redirect] = field(default_factory=list)
    headers: list[HeaderBlock] = field(default_factory=list)
    ignored: list[Told] = field(default_factory=list)
    functions: FunctionManifests = field(default_factory=no_manifests)
    own: tuple[str, ...] = ()
    """Which settings the site's own file has."""


def read_rules(read: Callable[[str], str | None], base: Mapping[str, Any] = MappingProxyType({})) -> SiteRules:
    """The rules of a site; `read` gives the text of one of its files, None when there is none. `base`: what is set for
    the site outside of its files, which go before it. Raises `SiteRulesError`."""
    rules = SiteRules()
    own = _Own(rules, read(OWN), base)
    compat: redirect_rules.Compat = own.compat
    try:
        if (text := read(REDIRECTS)) is not None:
            found, ignored = redirect_rules.parse(text, compat)
            rules.redirects += found
            _tell(rules, REDIRECTS, ignored)
        if (text := read(HEADERS)) is not None:
            blocks, ignored = header_rules.parse(text)
            rules.headers += blocks
            _tell(rules, HEADERS, ignored)
    except (redirect_rules.TooManyRules, header_rules.TooManyBlocks) as error:
        raise SiteRulesError(str(error)) from error
    rules.redirects += own.redirects
    rules.headers += own.headers
    if (text := read(NETLIFY)) is not None:
        _read_netlify(rules, text)
    if len(rules.redirects) > redirect_rules.MAX_RULES:
        raise SiteRulesError(redirect_rules.TooManyRules.__doc__)
    if own.strict and rules.ignored:
        lines = "\n".join(f"{told.file[1:]}:{told.line}: {told.reason}" for told in rules.ignored)
        raise SiteRulesError(f"{len(rules.ignored)} lines are no rules, and the site is strict:\n{lines}")
    return rules


def check_settings(settings: Mapping[str, Any]) -> SiteSettings:
    """What is to be set for a site outside of its files, as a release has it. Raises `SiteRulesError`."""
    rules = SiteRules()
    try:
        _Own(rules, None, settings)
    except SiteRulesError as error:
        raise SiteRulesError(error.detail.replace("the settings of the site: ", "")) from None
    return rules.settings


def _tell(rules: SiteRules, file: str, ignored: Sequence[Ignored]) -> None:
    rules.ignored += [Told(file=file, line=each.line, text=each.text, reason=each.reason) for each in ignored]


class _Own:
    """The `[site]` table of the site's v8box.toml."""

    def __init__(self, rules: SiteRules, text: str | None, base: Mapping[str, Any]) -> None:
        self.compat: redirect_rules.Compat = "netlify"
        self.strict = False
        self.redirects: list[Redirect] = []
        self.headers: list[HeaderBlock] = []
        self._faults: list[str] = []
        self._elsewhere: Set[str] = frozenset()
        """What is not set in the file, but for the site."""
        try:
            values, self._lines = toml.parse(text or "")
        except toml.TomlSyntaxError as error:
            raise SiteRulesError(f"v8box.toml:{error.line}: {error.message}") from error
        self._only(values, {"site"}, ())
        table = values.get("site", {})
        if isinstance(table, dict):
            self._elsewhere = base.keys() - table.keys()
            rules.own = tuple(sorted(table.keys() & SETTINGS))
            self._read(rules, {**base, **table})
        else:
            self._fault("site must be a table: [site]", "site")
        if self._faults:
            raise SiteRulesError("\n".join(self._faults))

    def _read(self, rules: SiteRules, table: Mapping[str, Any]) -> None:
        self._only(table, _SITE_KEYS, ("site",))
        self.compat = self._choice(table, "compat", ("netlify", "cloudflare"), "netlify")  # type: ignore[assignment]
        self.strict = self._switch(table, "strict")
        rules.settings = SiteSettings(
            html_handling=self._choice(table, "html_handling", get_args(HtmlHandling), "auto-trailing-slash"),  # type: ignore[arg-type]
            not_found_handling=self._choice(table, "not_found_handling", get_args(NotFoundHandling), "404-page"),  # type: ignore[arg-type]
            security_headers=self._switch(table, "security_headers"),
            proxy_hosts=self._hosts(table.get("proxy_hosts", [])),
            mounts=self._mounts(table.get("mounts", [])),
            optimise=self._optimise(table.get("optimise", [])),
        )
        functions = table.get("functions", {})
        if isinstance(functions, dict) and all(isinstance(each, dict) for each in functions.values()):
            rules.functions = FunctionManifests(functions, self._lines)
        else:
            self._fault('functions must be tables: [site.functions.<name>], or "*" for all', "site", "functions")
        for number, values in enumerate(self._tables(table, "redirects")):
            line = self._lines.of("site", "redirects")
            try:
                self.redirects.append(_redirect(values, line + number, self.compat))
            except (PatternError, TypeError, ValueError) as error:
                self._fault(f"redirects[{number}]: {error}", "site", "redirects")
        for number, values in enumerate(self._tables(table, "headers")):
            try:
                self.headers.append(_header_block(values, self._lines.of("site", "headers")))
            except (PatternError, TypeError, ValueError) as error:
                self._fault(f"headers[{number}]: {error}", "site", "headers")

    def _fault(self, message: str, *path: str) -> None:
        elsewhere = len(path) > 1 and path[1] in self._elsewhere
        where = "the settings of the site" if elsewhere else f"v8box.toml:{self._lines.of(*path)}"
        self._faults.append(f"{where}: {message}")

    def _only(self, values: Mapping[str, Any], known: frozenset[str] | set[str], path: tuple[str, ...]) -> None:
        for key in values:
            if key not in known:
                near = difflib.get_close_matches(key, sorted(known), n=1)
                hint = f"; did you mean {near[0]}?" if near else ""
                self._fault(f"{'.'.join((*path, key))} is not known{hint}", *path, key)

    def _choice(self, table: Mapping[str, Any], key: str, known: Sequence[str], usual: str) -> str:
        value = table.get(key, usual)
        if value not in known:
            self._fault(f"{key} must be one of {', '.join(known)}", "site", key)
            return usual
        return str(value)

    def _switch(self, table: Mapping[str, Any], key: str) -> bool:
        value = table.get(key, False)
        if not isinstance(value, bool):
            self._fault(f"{key} must be true or false", "site", key)
        return value is True

    def _tables(self, table: Mapping[str, Any], key: str) -> list[Mapping[str, Any]]:
        values = table.get(key, [])
        if not isinstance(values, list) or not all(isinstance(each, dict) for each in values):
            self._fault(f"{key} must be tables: [[site.{key}]]", "site", key)
            return []
        return values

    def _hosts(self, values: Any) -> tuple[str, ...]:
        if not isinstance(values, list) or not all(isinstance(each, str) for each in values):
            self._fault("proxy_hosts must be a list of host names", "site", "proxy_hosts")
            return ()
        hosts = tuple(each.lower() for each in values)
        for host in hosts:
            if not _HOST.fullmatch(host):
                self._fault(
                    f"proxy_hosts: {host[:80]!r} is no host name as api.example.com; its port is the rule's to say",
                    "site",
                    "proxy_hosts",
                )
        return hosts

    def _optimise(self, values: Any) -> tuple[str, ...]:
        if not isinstance(values, list) or any(each not in _OPTIMISE for each in values):
            self._fault(f"optimise must be a list out of {', '.join(sorted(_OPTIMISE))}", "site", "optimise")
            return ()
        return tuple(sorted(set(values)))

    def _mounts(self, values: Any) -> tuple[Mount, ...]:
        if not isinstance(values, list) or len(values) > _MAX_MOUNTS:
            self._fault(f"mounts must be up to {_MAX_MOUNTS} tables: [[site.mounts]]", "site", "mounts")
            return ()
        found: list[Mount] = []
        for number, value in enumerate(values):
            try:
                found.append(_mount(value))
            except (PatternError, TypeError, ValueError) as error:
                self._fault(f"mounts[{number}]: {error}", "site", "mounts")
        return tuple(found)


def _mount(value: Any) -> Mount:
    if not isinstance(value, dict) or not value.keys() <= {"path", "worker", "first"}:
        raise ValueError('must be { path = "/api/*", worker = "name", first = true }')
    path, worker, first = value.get("path"), value.get("worker"), value.get("first", True)
    if not isinstance(path, str) or not isinstance(worker, str) or not isinstance(first, bool):
        raise TypeError("needs a path and the name of a worker")
    if not names.LABEL.fullmatch(worker):
        raise ValueError(f"{worker[:63]!r} is no name of a worker")
    check_pattern(path)
    return Mount(path, worker, first)


def _redirect(values: Mapping[str, Any], line: int, compat: redirect_rules.Compat) -> Redirect:
    if refused := values.keys() & {"signed", "headers"}:
        raise ValueError(f"{min(refused)}: what goes to another host is neither signed nor given headers here")
    unknown = values.keys() - {"from", "to", "status", "force", "query", "conditions"}
    if unknown:
        raise ValueError(f"{min(unknown)} is not known")
    source, target = values.get("from"), values.get("to", "/:splat")
    status = values.get("status", 302 if compat == "cloudflare" else 301)
    query, conditions = values.get("query", {}), values.get("conditions", {})
    if not isinstance(source, str) or not isinstance(target, str) or not isinstance(status, int):
        raise TypeError("needs from and to as texts, and a status as a number")
    if not isinstance(query, dict) or not isinstance(conditions, dict):
        raise TypeError("query and conditions are tables")
    lists = {name: value if isinstance(value, list) else [value] for name, value in conditions.items()}
    return redirect_rules.make(
        line,
        source,
        target,
        status,
        force=values.get("force") is True,
        query={str(name): str(value) for name, value in query.items()},
        conditions={name: [str(each) for each in value] for name, value in lists.items()},
    )


def _header_block(values: Mapping[str, Any], line: int) -> HeaderBlock:
    source, given = values.get("for"), values.get("values")
    if not isinstance(source, str) or not isinstance(given, dict) or values.keys() - {"for", "values"}:
        raise TypeError("needs for, a path, and values, a table of headers")
    pairs = [(name, each) for name, value in given.items() for each in (value if isinstance(value, list) else [value])]
    return header_rules.make(line, source, [(name, str(value)) for name, value in pairs])


def _read_netlify(rules: SiteRules, text: str) -> None:
    """Redirects and headers; the rest of it is about building, and there is nothing to build here."""
    try:
        values, lines = toml.parse(text)
    except toml.TomlSyntaxError as error:
        raise SiteRulesError(f"netlify.toml:{error.line}: {error.message}") from error
    for key, make in (("redirects", _netlify_redirect), ("headers", _netlify_headers)):
        tables = values.get(key, [])
        for number, each in enumerate(tables if isinstance(tables, list) else []):
            try:
                make(rules, each, lines.of(key))
            except (PatternError, TypeError, ValueError, AttributeError) as error:
                told = Told(file=NETLIFY, line=lines.of(key), text=f"{key}[{number}]", reason=str(error))
                rules.ignored.append(told)


def _netlify_redirect(rules: SiteRules, values: Mapping[str, Any], line: int) -> None:
    rules.redirects.append(_redirect(values, line, "netlify"))


def _netlify_headers(rules: SiteRules, values: Mapping[str, Any], line: int) -> None:
    rules.headers.append(_header_block(values, line))
