"""Which methods are answered. A preflight is about the method that comes after it, so it passes."""

from __future__ import annotations

from v8box.catalog.policies import PolicyRules
from v8box.gateway.policies.cors import is_preflight
from v8box.gateway.policies.passage import Passage
from v8box.gateway.policies.refusals import MethodRefused


class MethodCheck:
    """The step."""

    __slots__ = ("_allow", "_has_cors", "_methods")

    def __init__(self, rules: PolicyRules) -> None:
        methods = dict.fromkeys(rules.requests.methods)
        if "GET" in methods:
            methods["HEAD"] = None  # RFC 9110 §9.3.2: what a GET would say, without its body
        self._methods = frozenset(methods)
        self._allow = (b"allow", ", ".join(methods).encode())
        self._has_cors = rules.cors is not None

    def ask(self, passage: Passage) -> None:
        if passage.invocation.method not in self._methods and not (self._has_cors and is_preflight(passage)):
            raise MethodRefused(headers=[self._allow])


def compile_step(rules: PolicyRules) -> MethodCheck | None:
    return MethodCheck(rules) if rules.requests.methods else None
