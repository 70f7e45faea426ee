"""How many workers a project may have: counted where a version is kept, however it comes."""

from __future__ import annotations

import asyncio

import pytest
from tests.catalog.conftest import ADA, MANIFEST, Kept, build

from v8box.catalog.catalog import Catalog
from v8box.catalog.projects import CountQuotaExceeded


async def test_a_project_has_no_more_workers_than_it_may(kept: Kept) -> None:
    quotas: dict[str, int] = {"shop": 2}
    catalog = await Catalog.open(kept.database, kept.blobs, quota=quotas.get)

    async def deploy(worker: str, project: str = "shop", text: str = "x") -> None:
        await catalog.deploy(worker, build(text), MANIFEST, project=project, actor=ADA)

    await deploy("one")
    await catalog.store("two", build("x"), MANIFEST, project="shop", actor=ADA)
    with pytest.raises(CountQuotaExceeded, match="2 workers"):
        await deploy("three")
    with pytest.raises(CountQuotaExceeded):
        await catalog.store("three", build("x"), MANIFEST, project="shop", actor=ADA)
    both = {"one": (build("y"), MANIFEST), "three": (build("y"), MANIFEST)}
    with pytest.raises(CountQuotaExceeded):
        await catalog.deploy_all(both, project="shop", actor=ADA)
    assert len(await catalog.versions.list("shop", "one")) == 1  # nothing of it was done
    quotas["shop"] = 1
    await deploy("two", text="z")  # what is there may still be deployed
    await deploy("three", project="other")
    await catalog.delete_worker("two", project="shop", actor=ADA)
    await catalog.delete_worker("one", project="shop", actor=ADA)
    await deploy("three")


async def test_many_at_once_do_not_slip_past(kept: Kept) -> None:
    catalog = await Catalog.open(kept.database, kept.blobs, quota=lambda _: 2)
    deploys = (catalog.deploy(f"w{number}", build("x"), MANIFEST, project="shop", actor=ADA) for number in range(5))
    made = await asyncio.gather(*deploys, return_exceptions=True)
    assert sum(isinstance(each, CountQuotaExceeded) for each in made) == 3
    assert len(await catalog.workers("shop")) == 2
