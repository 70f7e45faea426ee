"""Requests of the gateway as calls of the cache: whose answers they ask for, and under which key."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from v8box.catalog.model import Route
from v8box.catalog.policies import CacheRules
from v8box.catalog.sites import SiteRoute
from v8box.gateway.cache.call import CacheCall, Fetch, Receive, Send
from v8box.gateway.cache.entries import Owner
from v8box.gateway.cache.keys import Key, key_query, passed_query
from v8box.gateway.headers import Incoming
from v8box.gateway.invoke import Exchange
from v8box.gateway.policies.passage import FREE
from v8box.gateway.routing import Target
from v8box.sandbox.interface import Invocation

_OF_PROXIES: Final = CacheRules(enabled=True)


def worker_call(
    route: Route, target: Target, exchange: Exchange, invocation: Invocation, query: str, fetch: Fetch
) -> CacheCall:
    """A request for a worker that keeps answers."""
    placement, passage = exchange.placement, exchange.passage
    rules = placement.manifest.cache
    if not rules.keep_on_deploy:
        scope = f"{placement.project}:{placement.worker} {placement.key}"
    elif len(route.shares) > 1:
        scope = f"{placement.project}:{placement.worker}@{placement.environment} {placement.id}"
    else:
        scope = f"{placement.project}:{placement.worker}@{placement.environment}"
    counted = key_query(query, rules)
    return CacheCall(
        rules=rules,
        owner=Owner(placement.project, "worker", placement.worker),
        live=route,
        address=None if counted is None else Key(scope, target.host_name.lower() + target.prefix, target.rest, counted),
        passed_query=passed_query(query, rules),
        method=invocation.method,
        pairs=list(invocation.headers),
        has_body=exchange.incoming.has_body,
        request_id=exchange.request_id.encode(),
        receive=exchange.receive,
        send=exchange.send,
        fetch=fetch,
        finish=None if passage is FREE else passage.finish,
        extra=exchange.extra_headers or (),
    )


def host_call(
    route: SiteRoute,
    url: str,
    incoming: Incoming,
    target: Target,
    method: str,
    request_id: str,
    receive: Receive,
    send: Send,
    fetch: Fetch,
    extra: Sequence[tuple[bytes, bytes]],
) -> CacheCall:
    """A request that a site passes on to `url`. What the other host is told is in the address, but for headers; of a
    visitor's cookies and passwords it is told nothing."""
    return CacheCall(
        rules=_OF_PROXIES,
        owner=Owner(route.project, "site", route.site),
        live=route,
        address=Key(
            f"{route.project}:{route.label}--{route.site} {route.key}",
            target.host_name.lower() + target.prefix,
            target.rest,
            url,
        ),
        passed_query=None,
        method=method,
        pairs=incoming.pairs,
        has_body=incoming.has_body,
        request_id=request_id.encode(),
        receive=receive,
        send=send,
        fetch=fetch,
        with_credentials=False,
        extra=extra,
    )
