"""What holds for every test: how patient it is, and how the tests are shared out."""

from __future__ import annotations

import functools

import botocore.session  # type: ignore[import-untyped, unused-ignore]
import pytest
from hypothesis import HealthCheck, settings
from xdist.remote import Producer  # type: ignore[import-untyped]
from xdist.scheduler import LoadScopeScheduling  # type: ignore[import-untyped]

# On a busy machine anything may take long: hypothesis looks for what is wrong, and not for what is slow.
settings.register_profile("v8box", settings(), deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("v8box")

# A hundred tests make an S3 client, and each would read the description of the whole service again.
botocore.session.create_loader = functools.cache(botocore.session.create_loader)

# Long, and started first, so that no tester is left with one of them in the end.
LONG = ("tests/e2e", "tests/docs", "tests/s3_api", "tests/servers", "tests/cli", "tests/bindings")
# Their tests share nothing: any tester takes the next one. Those of another file stay together for what they share.
ALONE = ("tests/e2e/test_kills.py", "tests/e2e/test_life.py", "tests/catalog/test_crash.py")


class ByFile(LoadScopeScheduling):  # type: ignore[misc]
    def _split_scope(self, nodeid: str) -> str:
        path = nodeid.partition("::")[0]
        return nodeid if path in ALONE else path


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Producer) -> ByFile:
    config.option.loadscopereorder = False
    return ByFile(config, log)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    items.sort(key=lambda item: next((rank for rank, path in enumerate(LONG) if item.nodeid.startswith(path)), 99))
