"""Sites that change, against servers that speak Cloudflare's and Bunny's API: what is purged, tried again, told."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from typing import Any

import pytest
from tests.cdn.cdn import TOKEN, FakeCdn, serving

from v8box.catalog.sites import SiteRoute, SiteTable
from v8box.features.cdn import CdnClient, CdnFault, Purges
from v8box.features.cdn.purges import MAX_WAITING, TRIES
from v8box.settings import Cdn, Secret, ServerUrl
from v8box.telemetry.audit import Event

KINDS = ("cloudflare", "bunny")


def table(key: str, site: str = "blog", *domains: str) -> SiteTable:
    route = SiteRoute(site=site, project="acme", key=key)
    return SiteTable({site: route}, {}, dict.fromkeys(domains, route))


class World:
    """Purges before one CDN. Pauses are not waited for, but noted."""

    def __init__(self, cdn: FakeCdn, token: str = TOKEN, zone: str = "zone1") -> None:
        settings = Cdn(kind=cdn.kind, token=Secret(token), zone=zone, url=ServerUrl(cdn.url))  # type: ignore[arg-type]
        self.cdn = cdn
        self.events: list[Event] = []
        self.pauses: list[float] = []
        self.client = CdnClient(settings)
        self.purges = Purges(
            self.client, table("one"), lambda site: f"{site}.example.com", self._record, sleep=self._sleep
        )

    async def _record(self, event: Event) -> None:
        self.events.append(event)

    async def _sleep(self, seconds: float) -> None:
        self.pauses.append(seconds)


@asynccontextmanager
async def world(kind: str, **options: str) -> AsyncIterator[World]:
    async with serving(kind) as cdn:
        made = World(cdn, **options)
        running = asyncio.create_task(made.purges.run())
        try:
            yield made
        finally:
            running.cancel()
            await asyncio.wait([running])
            await made.client.close()


async def test_cloudflare_purges_the_hosts_of_a_site_that_has_another_release_live() -> None:
    async with world("cloudflare") as made:
        made.purges.follow(table("two", "blog", "www.blog.example"))
        await made.purges.settle()
        hosts = ["blog.example.com", "www.blog.example"]
        assert made.cdn.purged == [{"hosts": hosts}]
        (event,) = made.events
        assert (event.action, event.resource, event.project) == ("cdn.purge", "site/blog", "acme")
        assert event.after == {"cdn": "cloudflare", "hosts": hosts}


async def test_bunny_purges_the_pull_zone() -> None:
    async with world("bunny") as made:
        made.purges.follow(table("two"))
        await made.purges.settle()
        assert made.cdn.purged == [None]
        assert made.events[0].action == "cdn.purge"


async def test_nothing_is_purged_when_no_release_changed() -> None:
    async with world("cloudflare") as made:
        made.purges.follow(table("one", "blog", "www.blog.example"))
        await made.purges.settle()
        assert made.cdn.purged == []


async def test_a_site_that_came_or_went_is_purged() -> None:
    async with world("cloudflare") as made:
        made.purges.follow(table("one", "shop"))
        await made.purges.settle()
        assert {each["hosts"][0] for each in made.cdn.purged} == {"blog.example.com", "shop.example.com"}


async def test_more_hosts_than_one_request_takes_are_purged_in_several() -> None:
    domains = [f"d{number:02}.example" for number in range(40)]
    async with world("cloudflare") as made:
        made.purges.follow(table("two", "blog", *domains))
        await made.purges.settle()
        assert [len(each["hosts"]) for each in made.cdn.purged] == [30, 11]
        assert [host for each in made.cdn.purged for host in each["hosts"]] == ["blog.example.com", *domains]


@pytest.mark.parametrize("kind", KINDS)
async def test_what_may_pass_is_tried_again_when_the_cdn_says(kind: str) -> None:
    later = format_datetime(datetime.now(UTC) + timedelta(seconds=300), usegmt=True)
    async with world(kind) as made:
        made.cdn.next = [
            (429, {"success": False, "errors": [{"code": 971, "message": "rate limited"}]}, {"retry-after": "7"}),
            (429, "slow down", {"retry-after": later}),
            (503, "", {}),
            (500, {"errors": None}, {"retry-after": "soon"}),
        ]
        made.purges.follow(table("two"))
        await made.purges.settle()
        assert len(made.cdn.purged) == 5
        assert made.pauses[0] == 7
        assert 200 < made.pauses[1] <= 300
        assert made.pauses[2:] == [9, 27]
        assert made.events[0].action == "cdn.purge"


async def test_it_is_given_up_in_the_end(caplog: pytest.LogCaptureFixture) -> None:
    async with world("cloudflare") as made:
        made.cdn.next = [(502, "<html>", {})] * TRIES
        made.purges.follow(table("two"))
        await made.purges.settle()
        assert len(made.cdn.purged) == TRIES
        assert made.pauses == [1, 3, 9, 27, 60]
        assert made.events[0].action == "cdn.purge_failed"
        assert made.events[0].after["error"] == "it answers 502"
    assert "the CDN still has what it kept of blog: it answers 502" in caplog.text


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(
    ("options", "said"),
    [({"token": "wr0ng-t0ken"}, "refuses the token (401)"), ({"zone": "zone2"}, "knows no such zone (404)")],
)
async def test_what_the_cdn_refuses_is_said_and_not_tried_again(
    kind: str, options: dict[str, str], said: str, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    async with world(kind, **options) as made:
        made.purges.follow(table("two"))
        await made.purges.settle()
        assert len(made.cdn.purged) == 1
        assert said in made.events[0].after["error"]
    assert "t0ken" not in caplog.text
    assert "t0ken" not in repr(made.events)


@pytest.mark.parametrize(
    ("status", "told"),
    [
        (200, {"success": False, "errors": [{"code": 1, "message": "You cannot purge\nthese hosts"}]}),
        (400, {"success": False, "errors": [{"code": 1, "message": "You cannot purge\nthese hosts"}]}),
    ],
)
async def test_the_errors_of_an_answer_are_told_in_one_line(status: int, told: Any) -> None:
    async with serving("cloudflare") as cdn:
        cdn.next = [(status, told, {})]
        made = World(cdn)
        with pytest.raises(CdnFault, match=r"You cannot purge these hosts \(1\)") as fault:
            await made.client.purge(["blog.example.com"])
        assert not fault.value.again
        await made.client.close()


async def test_a_redirect_is_not_followed() -> None:
    async with serving("cloudflare") as cdn:
        cdn.next = [(307, "", {"location": f"{cdn.url}/elsewhere"})]
        made = World(cdn)
        with pytest.raises(CdnFault, match="it answers 307"):
            await made.client.purge(["blog.example.com"])
        assert len(cdn.purged) == 1
        await made.client.close()


async def test_a_cdn_that_is_away_is_asked_again() -> None:
    async with serving("bunny") as cdn:
        made = World(cdn)
    with pytest.raises(CdnFault, match="cannot be reached") as fault:
        await made.client.purge(["blog.example.com"])
    assert fault.value.again
    await made.client.close()


async def test_what_waits_is_merged_by_site_and_bounded(caplog: pytest.LogCaptureFixture) -> None:
    async with serving("cloudflare") as cdn:
        made = World(cdn)  # nobody purges yet
        made.purges.follow(table("two"))
        made.purges.follow(table("three", "blog", "new.example"))
        many = {f"s{number}": SiteRoute(site=f"s{number}", project="acme", key="k") for number in range(MAX_WAITING)}
        made.purges.follow(SiteTable({**table("three").sites, **many}))
        assert "wait to be purged already" in caplog.text
        running = asyncio.create_task(made.purges.run())
        await made.purges.settle()
        running.cancel()
        await asyncio.wait([running])
        await made.client.close()
        assert len(cdn.purged) == MAX_WAITING
        assert cdn.purged[0] == {"hosts": ["blog.example.com", "new.example"]}


async def test_a_failing_audit_log_does_not_end_the_purges(caplog: pytest.LogCaptureFixture) -> None:
    async with world("bunny") as made:

        async def fail(_: Event) -> None:
            raise OSError("the disk is full")

        made.purges._record = fail
        made.purges.follow(table("two"))
        made.purges.follow(table("three"))
        await made.purges.settle()
        assert made.cdn.purged
    assert "the audit log does not have the purge of blog" in caplog.text
