"""What holds for every test: how patient it is, and how the tests are shared out."""

from __future__ import annotations

import functools
import gc
from collections.abc import Iterator

import botocore.session  # type: ignore[import-untyped, unused-ignore]
import httpx
import pytest
from hypothesis import HealthCheck, settings
from xdist.remote import Producer  # type: ignore[import-untyped]
from xdist.scheduler import LoadScopeScheduling  # type: ignore[import-untyped]
from xdist.workermanage import WorkerController  # type: ignore[import-untyped]

from v8box.bindings.cache import blocking, lane, quota, subscriber
from v8box.bindings.db import embedded, hrana_client, libsql, libsql_admin
from v8box.bindings.s3 import server, server_client

# On a busy machine anything may take long: hypothesis looks for what is wrong, and not for what is slow. In CI (the
# variable `CI`) it looks at the same examples each time; who runs the tests by hand looks at new ones.
settings.register_profile("v8box", settings(), deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("v8box")

# A hundred tests make an S3 client, and each would read the description of the whole service again.
botocore.session.create_loader = functools.cache(botocore.session.create_loader)

# So would each HTTP client the certificates of all authorities, which takes longer than most requests.
httpx._transports.default.create_ssl_context = functools.cache(httpx.create_ssl_context)  # type: ignore[attr-defined]

PATIENCE_SECONDS = 60.0
# How long the box waits for a server, where it runs in the test's own process.
TIME_LIMITS = (
    *((module, "CONNECT_SECONDS") for module in (blocking, lane, subscriber)),
    (lane, "REPLY_SECONDS"),
    (subscriber, "CONFIRM_SECONDS"),
    (quota, "_WAIT_SECONDS"),
    (hrana_client, "_CONNECT_SECONDS"),
    (hrana_client, "_ALIVE_SECONDS"),
    (libsql, "_HEALTH_SECONDS"),
    (libsql_admin, "_SECONDS"),
    (embedded, "_START_SECONDS"),
    (embedded, "_HEALTH_SECONDS"),
    (server, "HEALTH_SECONDS"),
    (server_client, "CONNECT_SECONDS"),
)


@pytest.fixture(autouse=True)
def patience(request: pytest.FixtureRequest) -> Iterator[None]:
    """A server that is there is not given up, however busy the machine, but by tests that ask for `impatience`. Not by
    the fixture `monkeypatch`: made before all others, it would be undone after them."""
    with pytest.MonkeyPatch.context() as patch:
        if "impatience" not in request.fixturenames:
            for module, limit in TIME_LIMITS:
                patch.setattr(module, limit, PATIENCE_SECONDS)
        yield


@pytest.fixture
def impatience() -> None:
    """The time limits are those of a box."""


# Long, and started first, so that no tester is left with one of them in the end. Whatever comes after the first has to
# wait for its end, on the same tester: something short.
LONG = (
    "tests/api/test_schemathesis.py",
    "tests/browser",
    "tests/docs",
    "tests/e2e",
    "tests/deploy",
    "tests/cli",
    "tests/s3_api",
    "tests/bindings",
    "tests/servers",
)
# Their tests share nothing: any tester takes the next one. Those of another file stay together for what they share.
ALONE = ("tests/e2e/test_kills.py", "tests/e2e/test_life.py", "tests/catalog/test_crash.py")
# Files that share a box or a browser, which take long to start, as much work in each.
TOGETHER = {
    **dict.fromkeys(("cache", "first_run", "settings", "shell"), "dashboard 1"),
    **dict.fromkeys(("docs", "inbox", "many_workers", "workers"), "dashboard 2"),
    **dict.fromkeys(("database", "objects", "observe", "pages_area"), "dashboard 3"),
}
SHARED_BOX = {f"tests/e2e/test_{name}.py" for name in ("health", "hostile", "kill_reports", "requests")}


class ByFile(LoadScopeScheduling):  # type: ignore[misc]
    def _split_scope(self, nodeid: str) -> str:
        path = nodeid.partition("::")[0]
        if path in ALONE:
            return nodeid
        if path in SHARED_BOX:
            return "the box of e2e"
        if path.startswith("tests/browser/"):
            return TOGETHER.get(path.rpartition("/test_")[2].removesuffix(".py"), "dashboard 3")
        return path

    def mark_test_complete(self, node: WorkerController, item_index: int, duration: float = 0) -> None:
        """Forgets the scopes that are over: all that a node ever had would be counted again after each test."""
        nodeid = self.registered_collections[node][item_index]
        scope = self._split_scope(nodeid)
        scopes = self.assigned_work[node]
        scopes[scope][nodeid] = True
        if all(scopes[scope].values()):
            del scopes[scope]
        self._reschedule(node)


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Producer) -> ByFile:
    config.option.loadscopereorder = False
    return ByFile(config, log)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    items.sort(key=lambda item: next((rank for rank, path in enumerate(LONG) if item.nodeid.startswith(path)), 99))
    # All modules and items stay until the end: there is no garbage among them to be looked for again and again.
    gc.collect()
    gc.freeze()
