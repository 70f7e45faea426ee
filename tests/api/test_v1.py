"""What every route below /api/v1 has: problem details, pages, ETags, answers that are given again."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from datetime import UTC, datetime

import httpx
import pytest
from fastapi import Request, Response
from hypothesis import given
from hypothesis import strategies as st
from pydantic import BaseModel
from tests.api.conftest import As, client_of, problem, user

from v8box.api import idempotency as ledger_module
from v8box.api.access import EVERY_PROJECT, Role, needs, nobody
from v8box.api.app import build_api
from v8box.api.idempotency import Idempotency
from v8box.api.v1 import (
    Page,
    Paged,
    Paging,
    Shape,
    Time,
    answer,
    check_if_match,
    created,
    etag_of,
    no_content,
    router_v1,
    shows_secret,
    tagged,
)
from v8box.errors import BadRequest, V8BoxError
from v8box.storage import Database


class Toy(Shape):
    name: str
    size: int = 1


class ToyInfo(BaseModel):
    name: str
    size: int
    made_at: Time


class TooBig(V8BoxError):
    """It is too big."""

    status = 429
    code = "too_big"

    def __init__(self) -> None:
        super().__init__()
        self.limit, self.used, self.retry_after = 5, 7, 120


class Toys:
    """A feature with toys in memory, and a gate that makes it slow."""

    def __init__(self) -> None:
        self.made: list[ToyInfo] = []
        self.gate = asyncio.Event()
        self.gate.set()
        self.entered = asyncio.Event()
        self.fails: Callable[[], Exception] | None = None
        self.router = routes = router_v1("/toys", "toys")
        write = [needs(Role.DEVELOPER)]

        @routes.post("", response_model=ToyInfo, status_code=201, dependencies=write)
        async def make_toy(body: Toy) -> Response:
            return created(await self.make(body), f"/toys/{body.name}")

        @routes.post("/tokens", status_code=201, dependencies=write)
        @shows_secret
        async def make_token() -> Response:
            await self.make(Toy(name="token"))
            return created({"token": "hunter2"}, "/toys/token")

        @routes.post("/upload", dependencies=write)
        async def upload_toy(request: Request) -> Response:
            return answer(len([part async for part in request.stream()]))

        @routes.get("", response_model=Page[ToyInfo], dependencies=[needs(Role.VIEWER)])
        async def list_toys(page: Paged, newest: bool = False) -> Response:
            return answer(page.page_of_all(self.made, lambda toy: (toy.name,), newest_first=newest))

        @routes.get("/numbers", dependencies=[needs(Role.VIEWER)])
        async def list_numbers(page: Paged) -> Response:
            after = page.after(int)
            first = 1 if after is None else int(after[0]) + 1
            return answer(page.page(range(first, min(first + page.fetch, 8)), lambda n: (n,), str))

        @routes.get("/{name}", response_model=ToyInfo, dependencies=[needs(Role.VIEWER)])
        async def show_toy(name: str, request: Request) -> Response:
            if self.fails:
                raise self.fails()
            return tagged(request, self.find(name))

        @routes.put("/{name}", response_model=ToyInfo, dependencies=write)
        async def change_toy(name: str, body: Toy, request: Request) -> Response:
            toy = self.find(name)
            check_if_match(request, etag_of(toy))
            toy.size = body.size
            return tagged(request, toy)

        @routes.delete("/{name}", status_code=204, dependencies=write)
        async def delete_toy(name: str) -> Response:
            self.made.remove(self.find(name))
            return no_content()

    async def make(self, body: Toy) -> ToyInfo:
        self.entered.set()
        await self.gate.wait()
        if self.fails:
            raise self.fails()
        toy = ToyInfo(name=body.name, size=body.size, made_at=datetime(2026, 1, 31, 12, tzinfo=UTC))
        self.made.append(toy)
        return toy

    def find(self, name: str) -> ToyInfo:
        return next(toy for toy in self.made if toy.name == name)


@pytest.fixture
async def ledger(database: Database) -> AsyncIterator[Idempotency]:
    ledger = await Idempotency.open(database)
    yield ledger
    await ledger.close()


@pytest.fixture
async def toys() -> Toys:
    return Toys()


@pytest.fixture
async def app(toys: Toys, ledger: Idempotency) -> As:
    return As(build_api([toys.router], idempotency=ledger))


@pytest.fixture
async def client(app: As) -> AsyncIterator[httpx.AsyncClient]:
    async with client_of(app) as client:
        yield client


# ---- answers and problems


async def test_a_create_answers_the_resource_and_where_it_is(client: httpx.AsyncClient) -> None:
    response = await client.post("/toys", json={"name": "ball"})
    assert response.status_code == 201
    assert response.json() == {"name": "ball", "size": 1, "made_at": "2026-01-31T12:00:00.000Z"}
    assert response.headers["location"] == "/api/v1/toys/ball"
    assert response.headers["cache-control"] == "no-store"
    gone = await client.delete("/toys/ball")
    assert (gone.status_code, gone.content) == (204, b"")


async def test_what_does_not_fit_is_told_field_by_field(client: httpx.AsyncClient) -> None:
    body = problem(await client.post("/toys", json={"nam/e": "a", "size": "x"}), 400, "bad_request")
    assert {fault["pointer"] for fault in body["errors"]} == {"#/name", "#/size", "#/nam~1e"}
    assert "name: Field required" in body["detail"]
    body = problem(await client.get("/toys?limit=0"), 400, "bad_request")
    assert [(fault["in"], fault["parameter"]) for fault in body["errors"]] == [("query", "limit")]
    body = problem(
        await client.post("/toys", content=b"{nope", headers={"content-type": "application/json"}), 400, "bad_request"
    )
    assert body["errors"][0]["pointer"] == "#"


async def test_what_an_error_knows_more_is_in_the_problem(client: httpx.AsyncClient, toys: Toys) -> None:
    toys.fails = TooBig
    response = await client.get("/toys/x")
    body = problem(response, 429, "too_big")
    assert (body["limit"], body["used"], response.headers["retry-after"]) == (5, 7, "120")


async def test_a_bug_the_frameworks_refusals_and_a_missing_sign_in_are_problems_too(
    client: httpx.AsyncClient, toys: Toys, app: As
) -> None:
    toys.fails = lambda: KeyError("hunter2")
    assert "hunter2" not in str(problem(await client.get("/toys/x"), 500, "internal"))
    problem(await client.get("/nothing"), 404, "not_found")
    response = await client.patch("/toys")
    problem(response, 405, "method_not_allowed")
    app.principal = nobody()
    problem(await client.get("/toys"), 401, "sign_in_needed")
    app.principal = user("eve", {EVERY_PROJECT: Role.VIEWER})
    problem(await client.post("/toys", json={"name": "a"}), 403, "forbidden")


async def test_the_envelope_stays_below_admin(client: httpx.AsyncClient) -> None:
    response = await client.get("http://localhost/admin/nothing")
    assert response.headers["content-type"] == "application/json"
    assert response.json()["success"] is False


async def test_the_document_has_problems_as_problems(client: httpx.AsyncClient) -> None:
    document = (await client.get("http://localhost/admin/openapi.json")).json()
    responses = document["paths"]["/api/v1/toys"]["post"]["responses"]
    assert set(responses) == {"201", "4XX", "5XX"}
    assert set(responses["4XX"]["content"]) == {"application/problem+json"}


async def test_a_project_that_is_not_there_has_nothing_below_it_whatever_ones_role(app: As) -> None:
    routes = router_v1("/projects", "toys")

    @routes.get("/{project}/toys", dependencies=[needs(Role.VIEWER)])
    async def list_toys_of_project(project: str) -> Response:
        return answer(project)

    @routes.post("/{project}/toys", dependencies=[needs(Role.DEVELOPER)])
    async def make_toy_of_project(project: str, body: Toy) -> Response:
        raise AssertionError

    app = As(build_api([routes]))
    async with client_of(app) as client:
        assert (await client.get("/projects/default/toys")).json() == "default"
        problem(await client.get("/projects/nope/toys"), 404, "project_not_found")
        problem(await client.post("/projects/nope/toys", json={"name": "a"}, headers=KEY), 404, "project_not_found")
        app.principal = user("eve", {"other": Role.OWNER})
        problem(await client.get("/projects/nope/toys"), 403, "forbidden")  # whether it is there, is not told


async def test_two_routes_of_one_name_are_refused() -> None:
    with pytest.raises(ValueError, match="make_toy"):
        build_api([Toys().router, Toys().router])


# ---- pages


async def test_pages_follow_one_another_whatever_happens_between(client: httpx.AsyncClient) -> None:
    for name in "ebdac":
        await client.post("/toys", json={"name": name})
    first = (await client.get("/toys?limit=2")).json()
    assert [toy["name"] for toy in first["items"]] == ["a", "b"]
    await client.delete("/toys/b")
    await client.post("/toys", json={"name": "aa"})
    second = (await client.get("/toys", params={"limit": 2, "cursor": first["next_cursor"]})).json()
    assert [toy["name"] for toy in second["items"]] == ["c", "d"]
    third = (await client.get("/toys", params={"limit": 2, "cursor": second["next_cursor"]})).json()
    assert ([toy["name"] for toy in third["items"]], third["next_cursor"]) == (["e"], None)
    newest = (await client.get("/toys?newest=true&limit=3")).json()
    rest = (await client.get("/toys", params={"newest": "true", "cursor": newest["next_cursor"]})).json()
    assert [toy["name"] for toy in newest["items"] + rest["items"]] == ["e", "d", "c", "aa", "a"]


async def test_a_list_that_is_fetched_page_by_page(client: httpx.AsyncClient) -> None:
    first = (await client.get("/toys/numbers?limit=4")).json()
    rest = (await client.get("/toys/numbers", params={"limit": 4, "cursor": first["next_cursor"]})).json()
    assert (first["items"] + rest["items"], rest["next_cursor"]) == (list("1234567"), None)


async def test_a_cursor_that_was_made_up_or_is_from_elsewhere_is_refused(client: httpx.AsyncClient) -> None:
    await client.post("/toys", json={"name": "a"})
    await client.post("/toys", json={"name": "b"})
    cursor = (await client.get("/toys?limit=1")).json()["next_cursor"]
    for place, params in (
        ("/toys", {"cursor": cursor[:-1]}),
        ("/toys", {"cursor": "A" + cursor[1:] if cursor[0] != "A" else "B" + cursor[1:]}),
        ("/toys", {"cursor": "nope"}),
        ("/toys", {"cursor": "é"}),
        ("/toys", {"cursor": ""}),
        ("/toys", {"newest": "true", "cursor": cursor}),
        ("/toys/numbers", {"cursor": cursor}),
    ):
        problem(await client.get(place, params=params), 400, "bad_request")


@given(st.text(max_size=60))
def test_no_text_breaks_the_reading_of_a_cursor(text: str) -> None:
    with pytest.raises(BadRequest, match="next_cursor"):
        Paging(10, text, b"list").after(str)


@given(st.lists(st.tuples(st.text(st.characters(exclude_categories=["Cs"])), st.integers(0, 2**53)), unique=True))
def test_pages_are_the_list(items: list[tuple[str, int]]) -> None:
    seen: list[tuple[str, int]] = []
    cursor: str | None = None
    while True:
        page = Paging(3, cursor, b"list").page_of_all(items, lambda item: item)
        seen += page["items"]
        if (cursor := page["next_cursor"]) is None:
            break
    assert seen == sorted(items)


# ---- ETags


async def test_whoever_writes_over_an_unseen_state_is_told(client: httpx.AsyncClient) -> None:
    await client.post("/toys", json={"name": "ball"})
    seen = (await client.get("/toys/ball")).headers["etag"]
    changed = await client.put("/toys/ball", json={"name": "ball", "size": 2}, headers={"if-match": f'"x", {seen}'})
    now = changed.headers["etag"]
    assert now != seen
    late = await client.put("/toys/ball", json={"name": "ball", "size": 3}, headers={"if-match": seen})
    assert problem(late, 412, "precondition_failed")["etag"] == now
    weak = await client.put("/toys/ball", json={"name": "ball", "size": 3}, headers={"if-match": f"W/{now}"})
    assert "weak" in problem(weak, 412, "precondition_failed")["detail"]
    for wrong in ("nope", "", '"a', "*, x"):
        reply = await client.put("/toys/ball", json={"name": "ball", "size": 3}, headers={"if-match": wrong})
        problem(reply, 400, "bad_request")
    assert (await client.get("/toys/ball")).json()["size"] == 2
    for anyway in ({"if-match": "*"}, {}):
        assert (await client.put("/toys/ball", json={"name": "ball", "size": 9}, headers=anyway)).status_code == 200


async def test_what_the_client_has_is_not_sent_again(client: httpx.AsyncClient) -> None:
    await client.post("/toys", json={"name": "ball"})
    etag = (await client.get("/toys/ball")).headers["etag"]
    for held in (etag, f"W/{etag}", f'"x", {etag}', "*"):
        response = await client.get("/toys/ball", headers={"if-none-match": held})
        assert (response.status_code, response.content, response.headers["etag"]) == (304, b"", etag)
    assert (await client.get("/toys/ball", headers={"if-none-match": '"x"'})).status_code == 200


# ---- Idempotency-Key

KEY = {"idempotency-key": "7d1c1a2e-1"}


async def test_a_create_that_is_sent_again_is_done_once(client: httpx.AsyncClient, toys: Toys, app: As) -> None:
    first = await client.post("/toys", json={"name": "ball"}, headers=KEY)
    again = await client.post("/toys", json={"name": "ball"}, headers=KEY)
    assert (again.status_code, again.json(), again.headers["location"]) == (
        201,
        first.json(),
        first.headers["location"],
    )
    assert "idempotent-replayed" not in first.headers
    assert again.headers["idempotent-replayed"] == "true"
    assert again.headers["content-type"] == "application/json"
    assert len(toys.made) == 1
    app.principal = user("bob", {EVERY_PROJECT: Role.OWNER})  # a key is its user's own
    assert "idempotent-replayed" not in (await client.post("/toys", json={"name": "ball"}, headers=KEY)).headers


async def test_a_key_is_for_one_request(client: httpx.AsyncClient, toys: Toys) -> None:
    await client.post("/toys", json={"name": "ball"}, headers=KEY)
    problem(await client.post("/toys", json={"name": "doll"}, headers=KEY), 422, "idempotency_mismatch")
    problem(await client.post("/toys?x=1", json={"name": "ball"}, headers=KEY), 422, "idempotency_mismatch")
    assert [toy.name for toy in toys.made] == ["ball"]
    for wrong in ("", "a b", "x" * 256):
        problem(await client.post("/toys", json={"name": "a"}, headers={"idempotency-key": wrong}), 400, "bad_request")


async def test_who_may_not_any_more_is_not_given_the_earlier_answer(client: httpx.AsyncClient, app: As) -> None:
    await client.post("/toys", json={"name": "ball"}, headers=KEY)
    app.principal = user("ada", {EVERY_PROJECT: Role.VIEWER})
    problem(await client.post("/toys", json={"name": "ball"}, headers=KEY), 403, "forbidden")
    app.principal = nobody()
    problem(await client.post("/toys", json={"name": "ball"}, headers=KEY), 401, "sign_in_needed")


async def test_while_the_first_is_at_work_the_second_is_told_so(client: httpx.AsyncClient, toys: Toys) -> None:
    toys.gate.clear()
    first = asyncio.create_task(client.post("/toys", json={"name": "ball"}, headers=KEY))
    await toys.entered.wait()
    second = await client.post("/toys", json={"name": "ball"}, headers=KEY)
    problem(second, 409, "idempotency_running")
    assert second.headers["retry-after"] == "1"
    problem(await client.post("/toys", json={"name": "doll"}, headers=KEY), 422, "idempotency_mismatch")
    toys.gate.set()
    assert (await first).status_code == 201
    assert len(toys.made) == 1


async def test_the_work_goes_on_when_the_client_leaves(
    client: httpx.AsyncClient, toys: Toys, database: Database
) -> None:
    toys.gate.clear()
    first = asyncio.create_task(client.post("/toys", json={"name": "ball"}, headers=KEY))
    await toys.entered.wait()
    first.cancel()
    await asyncio.gather(first, return_exceptions=True)
    toys.gate.set()
    while not await database.read(lambda sql: sql.rows("select 1 from idempotency where state = 'done'")):
        pass
    again = await client.post("/toys", json={"name": "ball"}, headers=KEY)
    assert (again.status_code, again.headers["idempotent-replayed"], len(toys.made)) == (201, "true", 1)


async def test_an_error_is_not_kept(client: httpx.AsyncClient, toys: Toys) -> None:
    toys.fails = TooBig
    problem(await client.post("/toys", json={"name": "ball"}, headers=KEY), 429, "too_big")
    toys.fails = lambda: KeyError("x")
    problem(await client.post("/toys", json={"name": "ball"}, headers=KEY), 500, "internal")
    problem(await client.post("/toys", json={"nam": "ball"}, headers=KEY), 400, "bad_request")
    toys.fails = None
    assert (await client.post("/toys", json={"name": "ball"}, headers=KEY)).status_code == 201


async def test_a_secret_is_not_kept_and_what_was_sent_neither(
    client: httpx.AsyncClient, toys: Toys, database: Database
) -> None:
    assert (await client.post("/toys/tokens", headers=KEY)).json() == {"token": "hunter2"}
    again = problem(await client.post("/toys/tokens", headers=KEY), 409, "idempotency_not_kept")
    assert again["location"] == "/api/v1/toys/token"
    assert len(toys.made) == 1
    await client.post("/toys", json={"name": "hunter3"}, headers={"idempotency-key": "other"})
    rows = await database.read(lambda sql: sql.rows("select * from idempotency where body is null"))
    assert rows
    assert not any(word in repr(rows) for word in ("hunter2", "7d1c1a2e"))


async def test_after_a_restart_answers_are_there_and_unfinished_work_is_unknown(
    toys: Toys, database: Database, ledger: Idempotency, client: httpx.AsyncClient
) -> None:
    await client.post("/toys", json={"name": "ball"}, headers=KEY)
    toys.gate.clear()
    toys.entered.clear()
    lost = asyncio.create_task(client.post("/toys", json={"name": "doll"}, headers={"idempotency-key": "lost"}))
    await toys.entered.wait()
    await ledger.close()
    await asyncio.gather(lost, return_exceptions=True)
    toys.gate.set()
    async with client_of(As(build_api([toys.router], idempotency=await Idempotency.open(database)))) as client:
        again = await client.post("/toys", json={"name": "ball"}, headers=KEY)
        assert again.headers["idempotent-replayed"] == "true"
        unknown = await client.post("/toys", json={"name": "doll"}, headers={"idempotency-key": "lost"})
        problem(unknown, 409, "idempotency_unknown")


async def test_a_key_is_free_again_after_a_day(client: httpx.AsyncClient, toys: Toys, database: Database) -> None:
    await client.post("/toys", json={"name": "ball"}, headers=KEY)
    await database.write(lambda sql: sql.execute("update idempotency set expires_at = expires_at - 86400"))
    await client.post("/toys", json={"name": "ball"}, headers=KEY)
    assert len(toys.made) == 2


async def test_what_is_kept_is_bounded(
    client: httpx.AsyncClient, database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ledger_module, "MAX_ANSWERS", 3)
    for number in range(6):
        await client.post("/toys", json={"name": "ball"}, headers={"idempotency-key": str(number)})
    await Idempotency.open(database)
    newest = await client.post("/toys", json={"name": "ball"}, headers={"idempotency-key": "5"})
    assert newest.headers["idempotent-replayed"] == "true"
    rows = await database.read(lambda sql: sql.rows("select * from idempotency"))
    assert len(rows) == 3
    monkeypatch.setattr(ledger_module, "MAX_BYTES", 100)
    await Idempotency.open(database)
    assert len(await database.read(lambda sql: sql.rows("select * from idempotency"))) == 1


async def test_an_upload_takes_no_key(client: httpx.AsyncClient) -> None:
    problem(await client.post("/toys/upload", content=b"x", headers=KEY), 400, "bad_request")
    assert (await client.post("/toys/upload", content=b"x")).status_code == 200
