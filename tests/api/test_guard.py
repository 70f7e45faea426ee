"""The door of the admin API: hosts, pages of other origins, proxies, and credentials that are good or not."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

import httpx
import pytest
from tests.api.auth.conftest import World, world

from v8box.api import Guard
from v8box.api.asgi import Receive, Scope, Send, send_json
from v8box.api.principals import Principal
from v8box.settings import Box, load
from v8box.telemetry.actors import ActorKind

__all__ = ["world"]  # a fixture


class Inner:
    """The application behind the guard: remembers what it was told."""

    def __init__(self) -> None:
        self.principal: Principal | None = None
        self.scope: Scope = {}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        self.scope = scope
        self.principal = scope["principal"]
        await send_json(scope, send, 401 if "credentials_refused" in scope else 200, b"{}")


class Door:
    """Asks through a guard."""

    def __init__(self, world: World, box: Box | None = None) -> None:
        self.inner = Inner()
        self.guard = Guard(self.inner, identities=world.auth.identities, box=box or Box(domain="example.com"))

    async def ask(
        self,
        method: str = "GET",
        path: str = "/admin/x",
        peer: str | None = "127.0.0.1",
        *,
        scheme: str = "http",
        headers: Mapping[str, str] | list[tuple[str, str]] = MappingProxyType({}),
    ) -> httpx.Response:
        async def called(scope: Scope, receive: Receive, send: Send) -> None:
            scope["client"] = (peer, 1234) if peer is not None else None
            await self.guard(scope, receive, send)

        pairs = list(headers.items()) if isinstance(headers, Mapping) else headers
        if not any(name.lower() == "host" for name, _ in pairs):
            pairs = [("host", "localhost:8000"), *pairs]
        transport = httpx.ASGITransport(app=called)
        async with httpx.AsyncClient(transport=transport, base_url=f"{scheme}://localhost:8000") as client:
            return await client.request(method, path, headers=pairs)


def local_token(world: World) -> str:
    return (world.directory / "keys" / "local.token").read_text().strip()


# ---- hosts


@pytest.mark.parametrize(
    ("host", "status"),
    [
        *(("localhost", 200), ("LOCALHOST:1", 200), ("127.0.0.1:8000", 200), ("[::1]:8000", 200), ("localhost.", 200)),
        *(("admin.localhost:8000", 200), ("admin.example.com", 200)),
        *(("evil.example", 403), ("example.com", 403), ("api.localhost", 403), ("localhost.evil.example", 403)),
        *(("localhost@evil.example", 403), ("127.0.0.1.nip.io", 403), ("", 403), ("localhost:8000:1", 403)),
        *(("admin.example.com.evil.example", 403), ("site.localhost", 403), ("0.0.0.0", 403), ("192.0.2.5", 403)),
    ],
)
async def test_a_name_that_points_here_is_not_enough(world: World, host: str, status: int) -> None:
    assert (await Door(world).ask(headers={"host": host})).status_code == status


@pytest.mark.parametrize(
    ("listens_on", "host", "status"),
    [
        *(("0.0.0.0", "192.0.2.5:8000", 200), ("::", "[2001:db8::1]:8000", 200), ("0.0.0.0", "box.lan", 403)),
        *(("192.0.2.5", "192.0.2.5", 200), ("192.0.2.5", "192.0.2.6", 403), ("127.0.0.1", "192.0.2.5", 403)),
        *(("0.0.0.0", "192.0.2.5.nip.io", 403), ("0.0.0.0", "3221225985", 403)),
    ],
)
async def test_without_a_domain_an_address_of_the_box_is_a_name(
    world: World, listens_on: str, host: str, status: int
) -> None:
    door = Door(world, Box(host=listens_on))
    assert (await door.ask(headers={"host": host})).status_code == status


# ---- pages of other origins


@pytest.mark.parametrize(
    ("method", "headers", "status"),
    [
        ("POST", {}, 200),
        ("POST", {"origin": "http://localhost:8000", "sec-fetch-site": "same-origin"}, 200),
        ("POST", {"origin": "https://localhost:8000"}, 200),
        ("POST", {"origin": "http://localhost:9000"}, 403),
        ("POST", {"origin": "http://evil.localhost:8000"}, 403),
        ("POST", {"origin": "http://evil.example"}, 403),
        ("POST", {"origin": "null"}, 403),
        ("POST", {"sec-fetch-site": "same-site"}, 403),
        ("DELETE", {"sec-fetch-site": "cross-site"}, 403),
        ("PUT", {"sec-fetch-site": "none"}, 403),
        ("PATCH", {"host": "admin.example.com", "origin": "https://site.example.com"}, 403),
        ("PATCH", {"host": "admin.example.com", "origin": "https://admin.example.com"}, 200),
        ("GET", {"sec-fetch-site": "none", "sec-fetch-mode": "navigate"}, 200),
        ("GET", {"sec-fetch-site": "cross-site", "sec-fetch-mode": "navigate"}, 200),
        ("GET", {"sec-fetch-site": "cross-site", "sec-fetch-mode": "no-cors"}, 403),
        ("GET", {"sec-fetch-site": "same-site", "sec-fetch-mode": "cors"}, 403),
    ],
)
async def test_a_page_of_another_origin_may_not(
    world: World, method: str, headers: dict[str, str], status: int
) -> None:
    """With a session or without: signing somebody in is a change too."""
    cookie = {"cookie": f"v8box_session={(await world.sign_in()).secret}"}
    assert (await Door(world).ask(method, headers=headers)).status_code == status
    assert (await Door(world).ask(method, headers={**headers, **cookie})).status_code == status


async def test_over_tls_the_page_has_to_be_over_tls_too(world: World) -> None:
    door = Door(world)
    plain = {"host": "admin.example.com", "origin": "http://admin.example.com"}
    assert (await door.ask("POST", scheme="https", headers=plain)).status_code == 403
    assert (await door.ask("POST", scheme="http", headers=plain)).status_code == 200


@pytest.mark.parametrize("name", ["host", "origin", "authorization", "sec-fetch-site", "sec-fetch-mode"])
async def test_a_header_that_stands_twice_is_refused(world: World, name: str) -> None:
    value = {"host": "localhost", "origin": "http://localhost", "sec-fetch-site": "same-origin"}.get(name, "x")
    twice = [(name, value), (name.title(), value)]
    if name != "host":
        twice.append(("host", "localhost"))
    assert (await Door(world).ask("POST", headers=twice)).status_code in (400, 403)


# ---- credentials


async def test_nobody_passes_as_nobody(world: World) -> None:
    door = Door(world)
    assert (await door.ask(peer="192.0.2.9")).status_code == 200
    assert door.inner.principal is not None
    assert (door.inner.principal.known, door.inner.principal.actor.address) == (False, "192.0.2.9")


async def test_a_session_is_its_user(world: World) -> None:
    door = Door(world)
    signed_in = await world.sign_in()
    assert (await door.ask(headers={"cookie": f"a=b; v8box_session={signed_in.secret}"})).status_code == 200
    principal = door.inner.principal
    assert principal is not None
    assert (principal.user, principal.session) == (signed_in.user.id, signed_in.session.id)
    assert (principal.actor.kind, principal.actor.name) == (ActorKind.USER, "admin")
    # HTTP/2 may send cookies one by one
    pairs = [("cookie", "a=b"), ("cookie", f"v8box_session={signed_in.secret}")]
    await door.ask(headers=pairs)
    assert door.inner.principal == principal


async def test_over_tls_only_a_host_cookie_counts_and_without_only_a_plain_one(world: World) -> None:
    door = Door(world)
    secret = (await world.sign_in()).secret
    for scheme, name, known in (
        *(("https", "__Host-v8box_session", True), ("https", "v8box_session", False)),
        *(("http", "v8box_session", True), ("http", "__Host-v8box_session", False)),
    ):
        await door.ask(scheme=scheme, headers={"cookie": f"{name}={secret}"})
        assert door.inner.principal is not None
        assert door.inner.principal.known is known


async def test_a_cookie_that_is_good_for_nothing_is_forgotten_and_counts_as_none(world: World) -> None:
    """Who signs in again still has it; a route that needs somebody answers why it was refused."""
    door = Door(world)
    secret = (await world.sign_in()).secret
    forged = secret[:-1] + ("a" if secret[-1] != "a" else "b")
    for bad in (forged, "x", secret[:-6], secret + "x"):
        answer = await door.ask(headers={"cookie": f"v8box_session={bad}"})
        assert answer.status_code == 401
        assert answer.headers["set-cookie"].startswith("v8box_session=; Max-Age=0;")
        assert answer.headers["www-authenticate"].startswith("Bearer")
        assert door.inner.principal is not None
        assert not door.inner.principal.known
        assert "Sign in again" in str(door.inner.scope["credentials_refused"])


async def test_two_session_cookies_are_somebodys_trick(world: World) -> None:
    door = Door(world)
    mine, other = (await world.sign_in()).secret, (await world.sign_in()).secret
    answer = await door.ask(headers={"cookie": f"v8box_session={other}; v8box_session={mine}"})
    assert answer.status_code == 401
    assert (await door.ask(headers={"cookie": f"v8box_session={mine}; v8box_session={mine}"})).status_code == 200


@pytest.mark.parametrize(
    "authorization",
    [
        *(
            "Basic YWRtaW46eA==",
            "Bearer",
            "Bearer ",
            "Bearer a b",
            "Bearer v8b_pat_x",
            "Bearer v8db_1_2",
        ),
        *("Bearer v8b_local_x", "Bearer v8b_local_" + "0" * 49, "Token x", f"Bearer v8b_pat_{'0' * 16}_{'0' * 49}"),
    ],
)
@pytest.mark.parametrize("path", ["/admin/x", "/api/v1/x"])
async def test_a_bad_bearer_is_refused_and_never_falls_back_to_the_cookie(
    world: World, path: str, authorization: str
) -> None:
    door = Door(world)
    cookie = f"v8box_session={(await world.sign_in()).secret}"
    answer = await door.ask(path=path, headers=[("cookie", cookie), ("authorization", authorization)])
    body: dict[str, Any] = answer.json()
    assert answer.status_code == 401
    assert door.inner.principal is None
    assert answer.headers["www-authenticate"].startswith("Bearer")
    if path.startswith("/api/"):
        assert answer.headers["content-type"] == "application/problem+json"
        assert (body["status"], body["type"]) == (401, f"urn:v8box:error:{body['code']}")
        assert body["detail"]
    else:
        assert body["success"] is False
        assert body["error"]


async def test_the_local_operator_owns_everything_from_this_machine_only(world: World) -> None:
    trusted = load(world.directory, {"V8BOX_TRUSTED_PROXIES": "127.0.0.1"}).box.trusted_proxies
    door = Door(world, Box(trusted_proxies=trusted))
    bearer = {"authorization": f"bearer {local_token(world)}"}
    for peer in ("127.0.0.1", "127.8.9.1", "::1", "::ffff:127.0.0.1"):
        assert (await door.ask("POST", peer=peer, headers=bearer)).status_code == 200
        assert door.inner.principal is not None
        assert (door.inner.principal.actor.kind, door.inner.principal.role(None)) == (ActorKind.LOCAL, 4)
    for other in ("192.168.1.5", "8.8.8.8", "::2", "fe80::1%eth0", "", "x", None):
        assert (await door.ask(peer=other, headers=bearer)).status_code == 401
    proxied = {**bearer, "x-forwarded-for": "192.0.2.9"}
    assert (await door.ask(peer="127.0.0.1", headers=proxied)).status_code == 401


async def test_the_local_token_is_private_fresh_at_each_start_and_gone_after(world: World) -> None:
    file = world.directory / "keys" / "local.token"
    assert file.stat().st_mode & 0o777 == 0o600
    before = local_token(world)
    await world.auth.stop()
    assert not file.exists()
    await world.open()
    answer = await Door(world).ask(headers={"authorization": f"Bearer {before}"})
    assert (answer.status_code, "changes at every start" in answer.json()["error"]) == (401, True)


# ---- proxies


@pytest.mark.parametrize(
    ("peer", "headers", "address", "scheme"),
    [
        ("10.0.0.1", {"x-forwarded-for": "192.0.2.9", "x-forwarded-proto": "https"}, "192.0.2.9", "https"),
        ("10.0.0.1", {"x-forwarded-for": "6.6.6.6, 192.0.2.9, 10.0.0.2"}, "192.0.2.9", "http"),
        ("10.0.0.1", {"x-forwarded-for": "nonsense"}, "10.0.0.1", "http"),
        ("10.0.0.1", {}, "10.0.0.1", "http"),
        ("192.0.2.1", {"x-forwarded-for": "127.0.0.1", "x-forwarded-proto": "https"}, "192.0.2.1", "http"),
    ],
)
async def test_a_trusted_proxy_is_believed_and_nobody_else(
    world: World, peer: str, headers: dict[str, str], address: str, scheme: str
) -> None:
    trusted = load(world.directory, {"V8BOX_TRUSTED_PROXIES": "10.0.0.0/8"}).box.trusted_proxies
    door = Door(world, Box(trusted_proxies=trusted))
    assert (await door.ask(peer=peer, headers=headers)).status_code == 200
    assert door.inner.principal is not None
    assert (door.inner.principal.actor.address, door.inner.scope["scheme"]) == (address, scheme)


async def test_a_websocket_is_judged_alike(world: World) -> None:
    sent: list[Any] = []
    scope: Scope = {"type": "websocket", "client": ("10.0.0.1", 1), "headers": [(b"host", b"evil.example")]}

    async def send(message: Any) -> None:
        sent.append(message["type"])

    async def receive() -> Any:
        return {"type": "websocket.connect"}

    await Door(world).guard(scope, receive, send)
    assert sent == ["websocket.close"]
