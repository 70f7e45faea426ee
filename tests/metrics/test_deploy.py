"""The files for Grafana and Prometheus: they are read by those who read them, and name nothing that is not there."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from tests.metrics.conftest import Kept
from tests.metrics.test_page import scraper, sources
from tests.servers.prometheus import promtool

from v8box.features.metrics.scrape import Scraper

__all__ = ["scraper", "sources"]  # fixtures

DEPLOY = Path(__file__).parents[2] / "deploy"
DASHBOARD = DEPLOY / "grafana" / "v8box.json"
RULES = DEPLOY / "prometheus" / "v8box.rules.yml"
VARIABLES = {"$__rate_interval": "1m", "$project": ".*", "$environment": ".*", "$worker": ".*"}


def expressions() -> Iterator[str]:
    """Every query of the dashboard, as Prometheus gets it."""
    for panel in json.loads(DASHBOARD.read_text())["panels"]:
        for target in panel.get("targets", ()):
            text: str = target["expr"]
            for name, value in VARIABLES.items():
                text = text.replace(name, value)
            yield text


def named(text: str) -> set[str]:
    return set(re.findall(r"\bv8box_[a-z0-9_]+", text))


async def shown(scraper: Scraper) -> set[str]:
    """Every name a time series may have."""
    _, body = await scraper.scrape(openmetrics=False)
    found = set()
    for name, kind in re.findall(r"^# TYPE (\S+) (\S+)$", body.decode(), re.MULTILINE):
        found |= {f"{name}{end}" for end in ("_bucket", "_sum", "_count")} if kind == "histogram" else {name}
    return found


async def test_every_metric_that_is_named_is_there(kept: Kept, scraper: Scraper) -> None:
    there = await shown(scraper)
    queries = list(expressions())
    assert len(queries) > 30
    assert set().union(*map(named, queries)) <= there
    assert named(re.sub(r"^ +(summary|description|- alert):.*$", "", RULES.read_text(), flags=re.MULTILINE)) <= there
    variables = json.loads(DASHBOARD.read_text())["templating"]["list"]
    assert set().union(*(named(each.get("definition", "")) for each in variables)) <= there


async def test_every_metric_has_its_line_in_the_documentation(kept: Kept, scraper: Scraper) -> None:
    text = (DEPLOY.parent / "docs" / "metrics.md").read_text()
    names = {re.sub("_(bucket|sum|count)$", "", name) for name in await shown(scraper)}
    assert not {name for name in names if f"`{name}`" not in text}


def test_the_panels_of_the_dashboard_do_not_overlap() -> None:
    dashboard: dict[str, Any] = json.loads(DASHBOARD.read_text())
    taken: set[tuple[int, int]] = set()
    for panel in dashboard["panels"]:
        at = panel["gridPos"]
        cells = {(x, y) for x in range(at["x"], at["x"] + at["w"]) for y in range(at["y"], at["y"] + at["h"])}
        assert not cells & taken, panel["title"]
        assert at["x"] + at["w"] <= 24
        taken |= cells
    ids = [panel["id"] for panel in dashboard["panels"]]
    assert len(set(ids)) == len(ids)


def test_promtool_takes_the_rules() -> None:
    done = promtool("check", "rules", str(RULES))
    assert done.returncode == 0, done.stderr.decode()


def test_alerts_fire_when_they_should() -> None:
    done = promtool("test", "rules", str(Path(__file__).with_name("v8box.rules.test.yml")))
    assert done.returncode == 0, done.stdout.decode() + done.stderr.decode()
