"""Variables from Vault: precedence, refresh, Vault away, never reached, refusing; the token is told to nobody."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path
from types import MappingProxyType
from typing import Any

import pytest
from aiohttp import web
from tests.fakes.vault import TOKEN, FakeVault

from v8box.catalog.model import Route, RouteTable
from v8box.catalog.variables import Level, NewValue, Variables, VariablesUnavailable, Wanted
from v8box.catalog.variables.vault import REFRESH_SECONDS, RENEW_SECONDS, VaultSource, VaultUnavailable
from v8box.catalog.variables.vault_client import MAX_BYTES, VaultClient, VaultFault
from v8box.settings import Secret, ServerUrl, Vault
from v8box.storage import Database
from v8box.storage.encryption import Encryption
from v8box.telemetry import audit
from v8box.telemetry.actors import BOX

SECRET = "hunter2!hunter2!"
PATH = "v8box/shop/production/hello"
HERE = ("shop", "production", "hello")


class Now:
    def __init__(self) -> None:
        self.at = 1_000.0

    def __call__(self) -> float:
        return self.at


def settings(vault: FakeVault) -> Vault:
    return Vault(address=ServerUrl(vault.url), token=Secret(TOKEN))


@pytest.fixture
async def vault() -> AsyncIterator[FakeVault]:
    async with FakeVault().serving() as vault:
        yield vault


@pytest.fixture
def now() -> Now:
    return Now()


@pytest.fixture
async def source(vault: FakeVault, now: Now) -> AsyncIterator[VaultSource]:
    source = VaultSource(VaultClient(settings(vault)), settings(vault), now)
    yield source
    await source.close()


@pytest.fixture
async def variables(tmp_path: Path, source: VaultSource) -> AsyncIterator[Variables]:
    database = await Database.open(tmp_path / "catalog.db")
    await audit.open_audit(database)
    encryption = await Encryption.open(database, tmp_path / "keys")
    yield await Variables.open(database, encryption, source)
    await database.close()


async def test_its_values_stand_between_those_of_the_project_and_the_workers_own(
    vault: FakeVault, variables: Variables
) -> None:
    vault.put(PATH, A="vault", B="vault", C=SECRET)
    for level, names in (
        (Level("shop"), "AX"),
        (Level("shop", "production"), "AX"),
        (Level("shop", "", "hello"), "B"),
    ):
        values = {name: NewValue(value=f"of {level.words}") for name in names}
        await variables.change(level, values, actor=BOX)
    loaded = await variables.load(*HERE)
    assert loaded.values == {
        **{"A": "vault", "B": "of the worker hello, in every environment", "C": SECRET},
        "X": "of the project shop, in production",
    }
    assert loaded.secrets == {"vault", SECRET}
    effective = await variables.effective(*HERE, Wanted(env={"C": "manifest"}))
    assert [(each.name, each.source, each.secret, each.value, each.overrides) for each in effective] == [
        ("A", "vault", True, None, ("project/production", "project")),
        ("B", "worker", False, "of the worker hello, in every environment", ("vault",)),
        ("C", "vault", True, None, ("manifest",)),
        ("X", "project/production", False, "of the project shop, in production", ("project",)),
    ]
    assert await variables.resolve("shop", "staging", "hello") == {
        **{"A": "of the project shop, in every environment", "X": "of the project shop, in every environment"},
        "B": "of the worker hello, in every environment",
    }


async def test_a_new_version_is_a_new_revision_and_told(vault: FakeVault, variables: Variables, now: Now) -> None:
    told: list[int] = []

    async def tell() -> None:
        told.append(variables.revision(*HERE))

    source = variables._source
    assert isinstance(source, VaultSource)
    variables.subscribe(tell)
    vault.put(PATH, A="1")
    assert await variables.resolve(*HERE) == {"A": "1"}
    first = variables.revision(*HERE)
    assert (first, told) == (0, [])
    await source.refresh()
    vault.put(PATH, A="1")  # a version with nothing new
    await source.refresh()
    assert told == []
    vault.put(PATH, A="2")
    assert await variables.resolve(*HERE) == {"A": "1"}  # for up to a minute
    await source.refresh()
    assert told == [variables.revision(*HERE)]
    assert told[0] > first
    assert await variables.resolve(*HERE) == {"A": "2"}
    vault.delete(PATH)
    now.at += REFRESH_SECONDS  # read again without the background, too
    assert await variables.resolve(*HERE) == {}
    assert len(told) == 2


async def test_it_is_asked_once_however_many_ask(vault: FakeVault, source: VaultSource) -> None:
    vault.put(PATH, A="1")
    assert await asyncio.gather(*(source.values(*HERE) for _ in range(20))) == [{"A": "1"}] * 20
    assert vault.asked == [f"secret/data/{PATH}"]
    leaving = asyncio.create_task(source.values("shop", "staging", "hello"))
    await asyncio.sleep(0)
    leaving.cancel()
    assert await source.values("shop", "staging", "hello") == {}


@pytest.mark.parametrize("away", ["sealed", "gone", "denied", "expired", "broken", "redirect", "large", "no kv 2"])
async def test_while_it_is_away_the_last_known_values_are_used_and_it_is_told_once(
    vault: FakeVault, source: VaultSource, now: Now, away: str, caplog: pytest.LogCaptureFixture
) -> None:
    vault.put(PATH, A=SECRET)
    await source.values(*HERE)
    await source.values("shop", "staging", "hello")
    await source.health()
    answers: dict[str, Any] = {
        "broken": lambda: web.Response(status=500, text=SECRET),
        "redirect": lambda: web.Response(status=307, headers={"location": "http://127.0.0.1:1/"}),
        "large": lambda: web.Response(body=b" " * (MAX_BYTES + 1)),
        "no kv 2": lambda: web.json_response({"data": {"A": SECRET}}),
        "gone": lambda: web.Response(status=502),
    }
    match away:
        case "sealed":
            vault.sealed = True
        case "denied":
            vault.denied.add(PATH)
        case "expired":
            vault.token = "another"
        case _:
            vault.broken = answers[away]
    for _ in range(3):
        now.at += REFRESH_SECONDS
        await source.refresh()
        assert await source.values(*HERE) == {"A": SECRET}
    told = [record for record in caplog.records if record.name.startswith("v8box")]
    assert 1 <= len(told) <= 2  # where the path is a part of the reason, each has its own
    with pytest.raises(VaultFault):
        await source.health()
    asked = len(vault.asked)
    assert await source.values(*HERE) == {"A": SECRET}
    assert len(vault.asked) == asked  # nobody waits for a Vault that is away
    vault.sealed, vault.broken, vault.token = False, None, TOKEN
    vault.denied.clear()
    vault.put(PATH, A="new")
    await source.refresh()
    await source.health()
    assert await source.values(*HERE) == {"A": "new"}
    assert "this is over" in caplog.text
    assert source.revision(*HERE) == 1
    assert TOKEN not in caplog.text
    assert SECRET not in caplog.text


async def test_a_worker_whose_values_were_never_read_does_not_start(
    vault: FakeVault, variables: Variables, caplog: pytest.LogCaptureFixture
) -> None:
    await variables.change(Level("shop"), {"A": NewValue(value="1")}, actor=BOX)
    vault.sealed = True
    with pytest.raises(VaultUnavailable, match="Vault is sealed") as caught:
        await variables.resolve(*HERE)
    assert isinstance(caught.value, VariablesUnavailable)
    assert caught.value.status == 503
    assert PATH not in caught.value.detail
    vault.sealed = False
    vault.token = "another"
    with pytest.raises(VaultUnavailable, match="refuses the box"):
        await variables.resolve(*HERE)
    vault.token = TOKEN
    assert await variables.resolve(*HERE) == {"A": "1"}  # Vault has nothing for it, and that is an answer
    assert TOKEN not in caplog.text


async def test_nobody_listens_there(caplog: pytest.LogCaptureFixture) -> None:
    gone = FakeVault()
    async with gone.serving():
        pass
    source = VaultSource(VaultClient(settings(gone)), settings(gone))
    with pytest.raises(VaultUnavailable, match="cannot be reached"):
        await source.values(*HERE)
    with pytest.raises(VaultFault):
        await source.health()
    assert TOKEN not in caplog.text
    await source.close()


async def test_a_namespace_a_template_and_a_token_file(vault: FakeVault, tmp_path: Path) -> None:
    file = tmp_path / "token"
    file.write_text("old\n")
    wanted = replace(
        settings(vault), token=None, token_file=str(file), namespace="team/a", path="apps/{worker}-{environment}"
    )
    source = VaultSource(VaultClient(wanted), wanted)
    vault.put("apps/hello-production", A="nobody's")
    vault.put("apps/hello-production", "team/a", A="ours")
    with pytest.raises(VaultUnavailable, match="refuses"):
        await source.values(*HERE)
    file.write_text(f"{TOKEN}\n")  # the agent brings a new one
    assert await source.values(*HERE) == {"A": "ours"}
    for content in (b"", b"a\x00b", b"\xff", b"x" * 5_000):
        file.write_bytes(content)
        await source.refresh()
        with pytest.raises(VaultFault, match="token file"):
            await source.health()
    file.unlink()
    await source.refresh()
    assert await source.values(*HERE) == {"A": "ours"}
    await source.close()


async def test_what_cannot_be_a_variable_is_left_out_and_told_once(
    vault: FakeVault, source: VaultSource, caplog: pytest.LogCaptureFixture
) -> None:
    vault.put(PATH, A="x", LD_PRELOAD=SECRET, **{"a-b": SECRET}, N=5, T=True, L=[1, "two"], Z=None, E="")
    for _ in range(3):
        assert await source.values(*HERE) == {"A": "x", "N": "5", "T": "true", "L": '[1,"two"]', "E": ""}
        await source.refresh()
    told = [record.getMessage() for record in caplog.records if record.name.startswith("v8box")]
    assert len(told) == 1
    assert "'LD_PRELOAD'" in told[0]
    assert "'a-b'" in told[0]
    assert SECRET not in caplog.text
    vault.put(PATH, **{f"V{number}": "x" for number in range(257)})
    await source.refresh()
    with pytest.raises(VaultFault, match="257 keys"):
        await source.health()


async def test_what_is_live_no_more_is_forgotten_and_differs_when_it_comes_back(
    vault: FakeVault, source: VaultSource
) -> None:
    live = RouteTable(
        MappingProxyType({"x": Route(project="shop", worker="hello", environment="production", shares=())})
    )
    source.follow(live)
    vault.put(PATH, A="1")
    await source.values(*HERE)
    await source.values("shop", "production", "other")  # somebody only looks
    await source.refresh()
    assert vault.asked == [
        *(f"secret/data/{PATH}", "secret/data/v8box/shop/production/other", f"secret/data/{PATH}"),
    ]
    before = source.revision(*HERE)
    source.follow(RouteTable(MappingProxyType({})))
    await source.refresh()
    assert len(vault.asked) == 3
    source.follow(live)
    assert source.revision(*HERE) != before


async def test_the_token_is_renewed(vault: FakeVault, source: VaultSource, now: Now) -> None:
    await source.refresh()
    assert vault.asked == []
    now.at += RENEW_SECONDS
    await source.refresh()
    await source.refresh()
    assert vault.asked == ["auth/token/renew-self"]
    vault.token = "another"
    now.at += RENEW_SECONDS
    await source.refresh()  # one that cannot be renewed is no fault by itself


def test_nothing_of_it_shows_the_token(vault: FakeVault) -> None:
    wanted = replace(settings(vault), address=ServerUrl("http://user:pass-word@vault:8200"))
    client = VaultClient(wanted)
    for shown in (repr(wanted), repr(client), repr(VaultSource(client, wanted))):
        assert TOKEN not in shown
        assert "pass-word" not in shown
