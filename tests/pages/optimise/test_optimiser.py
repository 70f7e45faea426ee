"""Releases become smaller after they went live: what visitors get, what is told, what crashes leave."""

from __future__ import annotations

import asyncio
import base64
import hashlib
import io
from collections.abc import Mapping
from pathlib import Path

import brotli
import pytest
from PIL import Image
from tests.gateway.pages.sites import Answer
from tests.pages.conftest import ADA
from tests.pages.optimise.conftest import OptimisedWorld, PlainChild
from tests.pages.optimise.test_images import encoded, photograph
from tests.pages.optimise.test_process import DIES

from v8box.catalog.sites import ReleaseInUse
from v8box.errors import NotFound, V8BoxError
from v8box.features.pages.optimise import job
from v8box.features.pages.optimise.optimiser import NothingToCancel
from v8box.gateway.headers import Incoming
from v8box.gateway.pages.answers import HotFiles
from v8box.gateway.pages.decide import SiteRequest
from v8box.gateway.pages.release import Releases
from v8box.gateway.pages.serve import Pages

PAGE = "<html>\n  <body>\n" + "    <p>hello</p>\n" * 60 + "  </body>\n</html>\n"
STYLE = "a { color : red }\n" * 60
ALL = "[site]\noptimise = ['html', 'css', 'js', 'svg', 'images']\n"
FILES: Mapping[str, str | bytes] = {
    "index.html": PAGE,
    "a.css": STYLE,
    "a.js": "// a remark\nfirst = 1\n" * 30,
    "a.svg": "<svg xmlns='http://www.w3.org/2000/svg'>\n  <!-- x -->\n  <g>\n"
    + "    <path d='M 0 0'/>\n" * 30
    + "</g></svg>",
    "a.jpg": encoded(photograph(), "JPEG", quality=92),
    "tiny.txt": "small",
    "data.json": '{"a":  1}' * 100,
}


async def get(world: OptimisedWorld, path: str, **headers: str) -> Answer:
    """What a visitor gets."""

    async def verify(*_: str | None) -> bool:
        return False

    pairs = [(name.replace("_", "-").encode(), value.encode()) for name, value in headers.items()]
    incoming = Incoming([(b"host", b"blog.example.com"), *pairs])
    route = world.sites.table.sites["blog"]
    answer = Answer()
    pages = Pages(Releases(world.blobs.get), HotFiles(world.blobs), verify)
    await pages.answer(SiteRequest(route, incoming, "GET", "blog.example.com", path, "", "", "r1"), answer.send)
    return answer


async def test_everything_is_compressed_and_nothing_else_unless_the_site_asks(small: OptimisedWorld) -> None:
    info = await small.deploy(FILES)
    assert (await small.service.contents(info)).files["/a.css"].encodings == {}
    told = await small.settled(1)
    assert (told["state"], told["left_count"]) == ("done", 0)
    assert set(told["by_type"]) == {"text/html", "text/css", "text/javascript", "image/svg+xml", "application/json"}
    assert (await small.sites.get("default", "blog")).live_number == 1
    before = (await small.service.contents(info)).files
    for path, asset in (await small.release(1)).files.items():
        assert (asset.content, asset.variants, asset.original) == (before[path].content, {}, None)
        assert bool(asset.encodings) == (path not in ("/a.jpg", "/tiny.txt"))


async def test_visitors_get_what_they_accept(small: OptimisedWorld) -> None:
    await small.deploy({**FILES, "v8box.toml": ALL})
    before = await get(small, "/data.json")
    await small.settled(1)
    plain = await get(small, "/data.json")
    assert (plain.headers["etag"], plain.body) == (before.headers["etag"], before.body)
    assert plain.headers["vary"] == "Accept-Encoding"
    packed = await get(small, "/data.json", accept_encoding="gzip;q=0.5, br")
    assert packed.headers["content-encoding"] == "br"
    assert packed.headers["etag"] != plain.headers["etag"]
    assert brotli.decompress(packed.body) == plain.body
    known = await get(small, "/data.json", accept_encoding="br", if_none_match=packed.headers["etag"])
    assert known.status == 304

    picture = await get(small, "/a.jpg")
    assert (picture.body, picture.headers["vary"]) == (FILES["a.jpg"], "Accept")
    for accept, kind in (("image/avif,image/webp,*/*", "avif"), ("image/webp", "webp"), ("*/*", "jpeg")):
        shown = await get(small, "/a.jpg", accept=accept)
        assert shown.headers["content-type"] == f"image/{kind}"
        assert Image.open(io.BytesIO(shown.body)).format == kind.upper()


async def test_a_site_that_asks_is_minified_and_the_originals_are_kept(small: OptimisedWorld) -> None:
    info = await small.deploy({**FILES, "v8box.toml": ALL})
    told = await small.settled(1)
    assert told["by_type"]["image/jpeg"]["files"] == 1
    before, after = (await small.service.contents(info)).files, (await small.release(1)).files
    for path in ("/index.html", "/a.css", "/a.js", "/a.svg"):
        assert after[path].original == before[path].content
        assert after[path].content.size < before[path].content.size
    assert (await get(small, "/")).body == PAGE.replace("\n    ", "\n").replace("\n  ", "\n").encode()
    saved = sum(
        asset.deployed.size
        - min(form.size for form in (asset.content, *asset.encodings.values(), *asset.variants.values()))
        for asset in after.values()
    )
    assert told["saved_bytes"] == saved > 0

    # what was deployed counts where deploys are compared and files sent
    assert (await small.service.compare("default", "blog", 1, 1))["changed"] == []
    digest = hashlib.sha256(STYLE.encode()).hexdigest()
    assert await small.service.missing("default", "blog", {"/a.css": digest}) == []
    assert await small.service.sweep() == 0
    assert await small.blobs.get(digest) == STYLE.encode()


async def test_originals_and_forms_are_not_swept(small: OptimisedWorld, monkeypatch: pytest.MonkeyPatch) -> None:
    await small.deploy({**FILES, "v8box.toml": ALL})
    await small.settled(1)
    monkeypatch.setattr("v8box.features.pages.service._GRACE_SECONDS", -1.0)
    await small.service.sweep()
    for asset in (await small.release(1)).files.values():
        for form in (asset.content, asset.deployed, *asset.encodings.values(), *asset.variants.values()):
            assert await small.blobs.verify(form.hash)


async def test_a_page_that_names_a_hash_keeps_its_files(small: OptimisedWorld) -> None:
    named = base64.b64encode(hashlib.sha384(STYLE.encode()).digest()).decode()
    page = f'<link rel="stylesheet" href="a.css" integrity="sha384-{named}">' + PAGE
    script = base64.b64encode(hashlib.sha256(b" let  a ").digest()).decode()
    headers = f"/*\n  Content-Security-Policy: script-src 'self' 'sha256-{script}'; object-src 'none'\n"
    other = PAGE + "<script> let  a </script><script> let  b </script>"
    await small.deploy(
        {
            "index.html": page,
            "a.css": STYLE,
            "b.css": STYLE + "b{}",
            "other.html": other,
            "_headers": headers,
            "v8box.toml": ALL,
        }
    )
    await small.settled(1)
    assert (await small.asset("/a.css")).original is None
    assert (await small.asset("/a.css")).encodings
    assert (await small.asset("/b.css")).original is not None
    body = (await get(small, "/other")).body
    assert b"<script> let  a </script><script>let b</script>" in body


async def test_what_cannot_be_worked_on_is_told_and_served_as_it_is(small: OptimisedWorld) -> None:
    broken: dict[str, str | bytes] = {
        "index.html": "<p title='x>" * 41,
        "a.css": "a{b:'x" * 61,
        "a.js": "let = {" * 60,
        "a.jpg": b"\xff\xd8" * 300,
    }
    await small.deploy({**broken, "v8box.toml": ALL})
    told = await small.settled(1)
    assert told["state"] == "done"
    assert sorted(each["path"] for each in told["left"]) == ["/a.css", "/a.jpg", "/a.js", "/index.html"]
    assert all(each["reason"] for each in told["left"])
    for path, data in broken.items():
        answer = await get(small, "/" if path == "index.html" else f"/{path}")
        assert answer.body == (data if isinstance(data, bytes) else data.encode())


async def test_what_was_done_once_is_not_done_again(small: OptimisedWorld) -> None:
    await small.deploy({**FILES, "v8box.toml": ALL})
    await small.settled(1)
    started = len(small.launcher.children)
    await small.deploy({**FILES, "v8box.toml": ALL, "new.txt": "x"}, site="second")
    told = await small.settled(1, "second")
    assert len(small.launcher.children) == started  # no process was needed
    assert told["files"] == 6
    assert (await small.asset("/a.css", 1, "second")) == (await small.asset("/a.css"))

    # a memory, no truth: what was swept meanwhile is made again
    gone = (await small.asset("/a.css")).encodings["br"].hash
    await small.blobs.delete(gone)
    await small.optimiser.ask("default", "second", 1)
    await small.settled(1, "second")
    assert await small.blobs.has(gone)


async def test_projects_do_not_share_what_was_done(small: OptimisedWorld) -> None:
    await small.deploy({"index.html": PAGE})
    await small.settled(1)
    started = len(small.launcher.children)
    await small.deploy({"index.html": PAGE}, site="second", project="other")
    await asyncio.wait_for(small.optimiser.settle(), 60)
    assert len(small.launcher.children) == started + 1
    assert (await small.sites.release("other", "second", 1)).report["optimisation"]["files"] == 1


async def test_a_process_that_dies_costs_one_file(small: OptimisedWorld, monkeypatch: pytest.MonkeyPatch) -> None:
    small.launcher.program = DIES

    def well(child: PlainChild) -> None:
        if len(small.launcher.children) == 2:
            small.launcher.program = None

    small.launcher.on_launch = well
    await small.deploy({"index.html": PAGE, "a.css": STYLE, "b.css": STYLE + "b{}"})
    told = await small.settled(1)
    assert (told["state"], told["files"], told["left_count"]) == ("done", 1, 2)
    assert "signal 11" in told["left"][0]["reason"]
    await small.optimiser.ask("default", "blog", 1)  # it is not held against the file
    assert (await small.settled(1))["files"] == 3


async def test_a_process_that_always_dies_ends_the_job(small: OptimisedWorld, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(job, "_MAX_DEATHS", 2)
    small.launcher.program = DIES
    await small.deploy({f"{n}.html": PAGE + str(n) for n in range(5)})
    told = await small.settled(1)
    assert told["state"] == "failed"
    assert (await get(small, "/1")).status == 200
    small.launcher.refuses = V8BoxError("there is no room for it")
    await small.optimiser.ask("default", "blog", 1)
    assert await small.settled(1) == {"state": "failed", "reason": "there is no room for it"}
    small.launcher.refuses = small.launcher.program = None
    await small.optimiser.ask("default", "blog", 1)
    assert (await small.settled(1))["state"] == "done"


async def test_the_box_ends_in_the_middle_and_goes_on_when_it_starts(
    small: OptimisedWorld, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(job, "_BATCH_FILES", 1)
    seen = asyncio.Event()
    keep = small.outcomes.keep

    async def kept(project: str, made: Mapping[tuple[str, str], object]) -> None:
        await keep(project, made)  # type: ignore[arg-type]
        seen.set()
        await asyncio.Event().wait()

    monkeypatch.setattr(small.outcomes, "keep", kept)
    info = await small.deploy(FILES)
    await seen.wait()
    state = small.optimiser.state(info)
    assert state == {"state": "running", "done": 1, "total": 5}
    await small.stop()
    assert "optimisation" not in (await small.sites.release("default", "blog", 1)).report
    assert list((small.folder / "staging-optimiser").iterdir()) == []

    monkeypatch.setattr(small.outcomes, "keep", keep)
    small.start()
    assert small.optimiser.state(info) == {"state": "queued"}
    assert (await small.settled(1))["files"] == 5
    await small.stop()
    small.start()
    await small.settled(1)
    assert small.launcher.children == []  # it was done


async def test_a_newer_release_is_more_urgent(small: OptimisedWorld, monkeypatch: pytest.MonkeyPatch) -> None:
    working, goes_on = asyncio.Event(), asyncio.Event()
    work = small.process.work

    async def slow(request: object) -> object:
        working.set()
        await goes_on.wait()
        return await work(request)  # type: ignore[arg-type]

    monkeypatch.setattr(small.process, "work", slow)
    first = await small.deploy(FILES)
    await working.wait()
    second = await small.deploy({"index.html": PAGE + "2"})
    assert small.optimiser.state(second) == {"state": "queued"}
    goes_on.set()
    assert (await small.settled(2))["state"] == "done"
    assert "optimisation" not in (await small.sites.release("default", "blog", 1)).report
    await small.service.roll_back("default", "blog", ADA)
    assert (await small.settled(1))["state"] == "done"
    assert first.number == 1


async def test_a_release_that_is_not_live_is_done_when_asked(small: OptimisedWorld) -> None:
    await small.deploy({"index.html": PAGE})
    info = await small.deploy({"index.html": PAGE + "2"}, live=False)
    assert await small.settled(2) == {}
    with pytest.raises(NotFound):
        await small.optimiser.ask("default", "blog", 9)
    with pytest.raises(NotFound):
        await small.optimiser.ask("other", "blog", 2)
    await small.optimiser.ask("default", "blog", 2)
    assert small.optimiser.state(info) == {"state": "queued"}
    assert (await small.settled(2))["state"] == "done"
    assert (await small.sites.get("default", "blog")).live_number == 1


async def test_what_runs_or_waits_is_cancelled_and_not_begun_again(
    small: OptimisedWorld, monkeypatch: pytest.MonkeyPatch
) -> None:
    working, goes_on = asyncio.Event(), asyncio.Event()
    work = small.process.work

    async def slow(request: object) -> object:
        working.set()
        await goes_on.wait()
        return await work(request)  # type: ignore[arg-type]

    monkeypatch.setattr(small.process, "work", slow)
    await small.deploy(FILES)
    await working.wait()
    await small.deploy({"index.html": PAGE}, live=False)
    await small.optimiser.ask("default", "blog", 2)
    await small.optimiser.cancel("default", "blog", 2)  # it waits
    await small.optimiser.cancel("default", "blog", 1)  # it runs
    goes_on.set()
    assert await small.settled(1) == {"state": "cancelled"}
    assert await small.settled(2) == {"state": "cancelled"}
    await small.stop()
    small.start()
    assert await small.settled(1) == {"state": "cancelled"}
    with pytest.raises(NothingToCancel):
        await small.optimiser.cancel("default", "blog", 1)
    with pytest.raises(NotFound):
        await small.optimiser.cancel("default", "blog", 7)
    await small.optimiser.ask("default", "blog", 1)
    assert (await small.settled(1))["state"] == "done"


async def test_a_site_that_goes_meanwhile(small: OptimisedWorld, monkeypatch: pytest.MonkeyPatch) -> None:
    working, goes_on = asyncio.Event(), asyncio.Event()
    work = small.process.work

    async def slow(request: object) -> object:
        working.set()
        await goes_on.wait()
        return await work(request)  # type: ignore[arg-type]

    monkeypatch.setattr(small.process, "work", slow)
    await small.deploy({"index.html": PAGE})
    await working.wait()
    with pytest.raises(ReleaseInUse):
        await small.sites.delete_release("default", "blog", 1, ADA)
    await small.sites.delete("default", "blog", ADA)
    goes_on.set()
    await small.deploy({"index.html": PAGE}, site="other")
    assert (await small.settled(1, "other"))["state"] == "done"


async def test_what_is_remembered_is_bounded(small: OptimisedWorld) -> None:
    await small.deploy(FILES)
    await small.settled(1)
    await small.outcomes.tidy(2)
    rows = await small.database.read(lambda sql: sql.rows("select count(*) from optimised"))
    assert rows == [(2,)]


async def test_nothing_is_left_of_a_job(small: OptimisedWorld, tmp_path: Path) -> None:
    await small.deploy(FILES)
    await small.settled(1)
    assert list((tmp_path / "staging-optimiser").iterdir()) == []
    assert all([await child.wait() == 0 for child in small.launcher.children])
