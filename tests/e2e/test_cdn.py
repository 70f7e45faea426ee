"""A real box tells the CDN in front of it that a site has changed."""

from __future__ import annotations

import asyncio
from pathlib import Path

from tests.cdn.cdn import TOKEN, serving
from tests.e2e.box import RunningBox


async def test_a_deploy_purges_the_cdn(tmp_path: Path) -> None:
    page = tmp_path / "pages" / "blog" / "index.html"
    page.parent.mkdir(parents=True)
    page.write_text("<h1>one</h1>")
    (tmp_path / "functions").mkdir()
    (tmp_path / "functions" / "hello.ts").write_text("export default () => 1;")
    async with serving("cloudflare") as cdn:
        environ = {"V8BOX_CDN": "cloudflare", "V8BOX_CDN_ZONE": "zone1"}
        environ |= {"V8BOX_CDN_TOKEN": TOKEN, "V8BOX_CDN_URL": cdn.url, "DOMAIN": "example.com"}
        box = RunningBox(tmp_path, environ)
        try:
            await asyncio.wait_for(cdn.asked.wait(), 60)
            await asyncio.to_thread(box.wait_ready)
        finally:
            await asyncio.to_thread(box.stop)
    assert cdn.purged[0] == {"hosts": ["blog.example.com"]}
    assert not any(TOKEN in line for line in box.lines)
