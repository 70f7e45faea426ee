"""What the `assets` binding lets through to the sites, and what it refuses."""

from __future__ import annotations

from typing import Any

import pytest

from v8box.bindings.assets.binding import MAX_URL, AssetsBinding
from v8box.bindings.assets.interface import AssetAnswer, AssetRequest
from v8box.bindings.interface import Answer, BindingError, Call, Scope

SCOPE = Scope("acme", "shop", "v", "production", "r1", {"assets": frozenset({"blog"})})


class Site:
    def __init__(self) -> None:
        self.asked: list[AssetRequest] = []

    async def fetch(self, request: AssetRequest) -> AssetAnswer:
        self.asked.append(request)
        return AssetAnswer(status=200, headers=[("etag", '"1"')], body=b"bytes")


async def fetch(asked: Site, **args: Any) -> Answer:
    return await AssetsBinding(asked.fetch).call(Call(SCOPE, "fetch", {"site": "blog", "url": "http://a/", **args}))


async def test_what_is_asked_reaches_the_site_of_the_callers_project() -> None:
    site = Site()
    headers = [["Range", "bytes=0-1"], ["authorization", "Bearer secret"], ["x-other", "1"]]
    answer = await fetch(site, url="https://user@blog.example.com/a%20b?x=1", method="head", headers=headers)
    assert answer.result == {"status": 200, "headers": [["etag", '"1"']]}
    assert answer.body == b"bytes"
    assert site.asked == [
        AssetRequest(
            project="acme",
            site="blog",
            method="HEAD",
            host="blog.example.com",
            secure=True,
            path="/a%20b",
            query="x=1",
            follow=True,
            run="r1",
            environment="production",
            headers=[("range", "bytes=0-1")],
        )
    ]


@pytest.mark.parametrize(
    ("args", "code"),
    [
        ({"site": "other"}, "site_not_granted"),
        ({"site": 1}, "invalid_argument"),
        ({"url": "http://[/"}, "invalid_argument"),
        ({"url": "http://a/" + "x" * MAX_URL}, "invalid_argument"),
        ({"headers": [["one"]]}, "invalid_argument"),
    ],
)
async def test_what_is_no_request_or_not_granted_is_refused(args: dict[str, Any], code: str) -> None:
    site = Site()
    with pytest.raises(BindingError) as refused:
        await fetch(site, **args)
    assert refused.value.code == code
    assert site.asked == []


async def test_there_is_one_operation() -> None:
    with pytest.raises(BindingError, match="no operation"):
        await AssetsBinding(Site().fetch).call(Call(SCOPE, "put", {}))
