"""Which paths a site's functions answer, which workers they make, and that they come and go with releases."""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import AsyncIterator

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.pages.conftest import ADA, World

from v8box.catalog import PREVIEW, PRODUCTION, Build, Catalog, Manifest, ManifestError
from v8box.catalog.held import WorkerInUse
from v8box.catalog.model import held_key
from v8box.catalog.projects import CountQuotaExceeded
from v8box.catalog.versions import VersionInUse
from v8box.errors import NotFound
from v8box.features.pages.functions import FunctionsRefused, find_functions
from v8box.features.pages.service import Deploy
from v8box.gateway.pages.release import LoadedRelease, Mount, Release, SiteSettings
from v8box.storage import FolderBlobs
from v8box.telemetry import audit

HELLO = "export const onRequest = () => new Response('hello');"
PAGE = {"index.html": "<h1>blog</h1>"}


def answers(*files: str) -> LoadedRelease:
    tree = find_functions(f"functions/{each}" for each in files)
    assert tree is not None
    like = {name: Mount("", name, True, "1") for name in tree.groups()}
    settings = SiteSettings(mounts=tree.mounts(like))
    return LoadedRelease("key", Release(site="blog", number=1, at=0, files={}, settings=settings))


def worker_at(release: LoadedRelease, path: str) -> str | None:
    """The worker, with a mark where it stands behind the files."""
    if (mount := release.mounted(path, first=True)) is not None:
        return mount.worker
    mount = release.mounted(path, first=False)
    return None if mount is None else f"({mount.worker})"


# ---- names and paths


@pytest.mark.parametrize(
    ("file", "why"),
    [
        ("a b.ts", "is no part of a path"),
        ("[].ts", "is no part of a path"),
        ("[id].json.ts", "is no part of a path"),
        ("x:y.ts", "is no part of a path"),
        ("[1].ts", "is no part of a path"),
        ("[[rest]]/x.ts", "at the end of a path only"),
        ("[[rest]]/index.ts", "nothing lies below all the rest"),
        ("[id]/[id].ts", "a placeholder stands once"),
        ("[splat].ts", "none is called :splat"),
        ("_v8box/functions.ts", "is the box's own"),
    ],
)
def test_a_name_that_is_no_path_is_refused_with_the_file(file: str, why: str) -> None:
    with pytest.raises(FunctionsRefused) as refused:
        find_functions([f"functions/{file}", "functions/fine.ts"])
    assert refused.value.detail.startswith(f"functions/{file}: ")
    assert why in refused.value.detail
    assert [each["file"] for each in refused.value.diagnostics] == [f"functions/{file}"]


@pytest.mark.parametrize("pair", [("a.ts", "a/index.ts"), ("[a].ts", "[b].ts"), ("x.js", "x.ts")])
def test_two_files_for_one_path_are_refused(pair: tuple[str, str]) -> None:
    with pytest.raises(FunctionsRefused, match="and so does functions/"):
        find_functions(f"functions/{each}" for each in pair)


def test_modules_to_share_types_and_other_files_are_no_functions() -> None:
    assert find_functions(["functions/_lib.ts", "functions/_lib/x.ts", "functions/a.d.ts", "functions/a.md"]) is None
    assert find_functions(["functions/node_modules/x/index.js", "functions/.x/y.ts"]) is None
    assert find_functions([]) is None


@pytest.mark.parametrize(
    ("file", "text"),
    [
        ("a.ts", "const onRequest = 1;"),
        ("a.test.ts", "import { x } from './a.ts'; export const helper = 1;\ntest('onRequest', () => 1);"),
        ("_middleware.ts", "export default () => 1;"),
        ("a.ts", "// export nothing"),
    ],
)
async def test_a_file_that_offers_no_function_refuses_the_deploy(world: World, file: str, text: str) -> None:
    with pytest.raises(FunctionsRefused, match=rf"functions/{file}: exports no function"):
        await world.deploy({**PAGE, f"functions/{file}": text, "functions/fine.ts": HELLO})


@pytest.mark.parametrize(
    "text",
    [
        HELLO,
        "export async function onRequestGet() {}",
        "const app = 1;\nexport default app;",
        "function f() {}\nexport { f as default };",
        "import { onRequest } from './_x.ts';\nexport {\n  onRequest,\n};",
        "export * from './_x.ts';",
        "export { onRequestPost } from './_x.ts'",
    ],
)
async def test_functions_may_be_exported_in_any_way(world: World, text: str) -> None:
    assert (await world.deploy({**PAGE, "functions/a.ts": text})).report["functions"]


def test_a_file_answers_its_path_and_what_lies_below_where_there_is_no_file() -> None:
    site = answers("hello.ts", "index.ts", "api/index.ts", "api/users/[id].ts", "data.json.ts")
    assert worker_at(site, "/") == "index"
    assert worker_at(site, "/hello") == worker_at(site, "/hello/") == "hello"
    assert worker_at(site, "/hello/x") == "(hello)"
    assert worker_at(site, "/api") == worker_at(site, "/api/users/7") == "api"
    assert worker_at(site, "/data.json") == "data-json"
    for other in ("/api/users", "/api/users/7/posts", "/other", "/index", "/HELLO"):
        assert worker_at(site, other) is None


def test_the_more_exact_path_goes_first_and_all_the_rest_is_last() -> None:
    site = answers("[[rest]].ts", "[page].ts", "about.ts", "about/team.ts", "about/[[more]].ts")
    mounts = [mount.pattern for mount in site.release.settings.mounts if mount.first]
    assert mounts == ["/about", "/about/team", "/about/*", "/:page", "/*"]
    assert worker_at(site, "/about") == worker_at(site, "/about/x/y") == "about"
    assert worker_at(site, "/other") == worker_at(site, "/a/b/c") == "index"


def test_middleware_stands_before_all_below_its_folder() -> None:
    site = answers("admin/_middleware.ts", "hello.ts")
    assert worker_at(site, "/admin") == worker_at(site, "/admin/any/file.png") == "admin"
    assert worker_at(site, "/other") is None
    site = answers("_middleware.ts", "hello.ts")
    assert worker_at(site, "/other") == "index"
    assert worker_at(site, "/hello") == worker_at(site, "/hello/x") == "hello"


PARTS = st.sampled_from(["a", "b", "[x]", "[y]", "index", "_middleware", "_lib", "[[z]]"])


@given(st.lists(st.lists(PARTS, min_size=1, max_size=3), min_size=1, max_size=6))
def test_whatever_the_files_are_called_each_function_is_reached_at_its_own_path(names: list[list[str]]) -> None:
    try:
        tree = find_functions(sorted({"functions/" + "/".join(each) + ".ts" for each in names}))
    except FunctionsRefused:
        return
    if tree is None:
        return
    like = {name: Mount("", name, True, "1") for name in tree.groups()}
    release = Release(site="s", number=1, at=0, files={}, settings=SiteSettings(mounts=tree.mounts(like)))
    loaded = LoadedRelease("key", release)
    for group, files in tree.groups().items():
        for each in files:
            path = "/" + "/".join(part if part[0] not in ":*" else "q7" for part in each.path)
            assert loaded.mounted(path, first=True) is not None
            entry = tree.entry(group, files)
            assert f'"{each.file}"' in entry


# ---- with releases


async def workers(world: World) -> list[str]:
    return [each.worker for each in await world.catalog.workers("default")]


def held(world: World, worker: str, environment: str = PRODUCTION) -> list[str]:
    """The versions of a worker that answer there."""
    start = held_key("default", worker, environment, "")
    return [key.removeprefix(start) for key in world.catalog.routes.workers if key.startswith(start)]


async def test_a_deploy_makes_a_worker_of_each_part_with_the_sites_files_in_its_env(world: World) -> None:
    release = await world.deploy({**PAGE, "functions/hello.ts": HELLO, "functions/api/users.ts": HELLO})
    assert await workers(world) == ["blog--api", "blog--hello"]
    (version,) = held(world, "blog--hello")
    placement = world.catalog.routes.workers[held_key("default", "blog--hello", PRODUCTION, version)].newest
    assert placement.manifest.bindings["ASSETS"].name == "blog"
    live = await world.live()
    assert [path for path in live.files if "functions" in path] == []
    assert Mount("/hello", "blog--hello", True, version) in live.settings.mounts
    assert release.report["functions"] == [
        {"file": "functions/api/users.ts", "path": "/api/users", "worker": "blog--api"},
        {"file": "functions/hello.ts", "path": "/hello", "worker": "blog--hello"},
    ]
    assert world.catalog.routes.of() == {}  # at its own address nothing is deployed


async def test_a_fault_refuses_the_whole_deploy_and_names_the_place(world: World) -> None:
    await world.deploy({**PAGE, "functions/hello.ts": HELLO})
    before = (await world.sites.get("default", "blog"), world.stored(), await workers(world))
    broken = {
        "index.html": "new",
        "functions/hello.ts": HELLO + "//",
        "functions/bad.ts": "const a = 1;\nsyntax error\n",
    }
    with pytest.raises(FunctionsRefused, match=r"functions/bad\.ts:2: Unexpected end"):
        await world.deploy(broken)
    assert (await world.sites.get("default", "blog"), world.stored(), await workers(world)) == before
    assert len(await world.catalog.versions.list("default", "blog--hello")) == 1


async def test_a_quota_that_the_functions_do_not_fit_refuses_all_of_it(world: World) -> None:
    many = {f"functions/f{number}.ts": HELLO for number in range(6)}
    with pytest.raises(CountQuotaExceeded):
        await world.deploy({**PAGE, **many})
    assert await workers(world) == []
    assert await world.sites.releases("default", "blog") == []


async def test_going_back_brings_the_mounts_and_the_versions_of_that_release(world: World) -> None:
    await world.deploy({**PAGE, "functions/hello.ts": HELLO})
    (first,) = held(world, "blog--hello")
    await world.deploy({**PAGE, "functions/hello.ts": HELLO + " // 2", "functions/more.ts": HELLO})
    (second,) = held(world, "blog--hello")
    assert first != second
    assert held(world, "blog--more")
    await world.service.roll_back("default", "blog", ADA)
    assert held(world, "blog--hello") == [first]
    assert held(world, "blog--more") == []
    mounts = (await world.live()).settings.mounts
    assert {(mount.worker, mount.version) for mount in mounts} == {("blog--hello", first)}
    assert sorted(held(world, "blog--hello", PREVIEW)) == sorted([first, second])


async def test_a_draft_answers_at_its_preview_only(world: World) -> None:
    await world.deploy(PAGE)
    await world.deploy({**PAGE, "functions/hello.ts": HELLO}, live=False)
    assert held(world, "blog--hello") == []
    assert len(held(world, "blog--hello", PREVIEW)) == 1


async def test_what_is_held_is_there_after_a_restart_and_another_projects_is_its_own(world: World) -> None:
    await world.deploy({**PAGE, "functions/hello.ts": HELLO})
    (version,) = held(world, "blog--hello")
    await world.catalog.reload()
    assert held(world, "blog--hello") == [version]
    again = await type(world.sites).open(world.database)
    assert set(again.table.held) == set(world.sites.table.held)
    assert again.table.held == world.sites.table.held


async def test_a_function_and_its_versions_stay_while_a_release_needs_them(world: World) -> None:
    await world.deploy({**PAGE, "functions/hello.ts": HELLO})
    (version,) = held(world, "blog--hello")
    found = await world.catalog.versions.get("default", "blog--hello", version)
    with pytest.raises(VersionInUse):
        await world.catalog.versions.remove(found, ADA)
    with pytest.raises(WorkerInUse, match="site blog"):
        await world.catalog.delete_worker("blog--hello", actor=ADA)
    await world.deploy({**PAGE, "functions/hello.ts": HELLO + "//"})
    assert await world.catalog.versions.prune(1) == 0


async def test_with_its_last_release_a_function_goes_and_with_the_site_all_do(world: World) -> None:
    first = await world.deploy({**PAGE, "functions/hello.ts": HELLO})
    await world.deploy({**PAGE, "functions/more.ts": HELLO})
    await world.sites.delete_release("default", "blog", first.number, ADA)
    assert await workers(world) == ["blog--more"]
    await world.service.delete("default", "blog", ADA)
    assert await workers(world) == []
    assert world.forgotten == [("default", "blog--more")]
    assert world.catalog.routes.workers == {}


async def test_a_worker_of_the_same_name_that_somebody_deployed_stays(world: World) -> None:
    await world.deploy({**PAGE, "functions/hello.ts": HELLO})
    (version,) = held(world, "blog--hello")
    await world.catalog.set_shares("blog--hello", [(version, 100)], actor=ADA)
    await world.service.delete("default", "blog", ADA)
    assert await workers(world) == ["blog--hello"]
    assert world.catalog.routes.live("blog--hello") is not None


async def test_a_changed_variable_and_other_deploys_leave_them_on_the_routes(world: World) -> None:
    await world.deploy({**PAGE, "functions/hello.ts": HELLO})
    (version,) = held(world, "blog--hello")
    key = held_key("default", "blog--hello", PRODUCTION, version)
    revisions = {PRODUCTION: 1}
    blobs = FolderBlobs(world.folder / "blobs")
    catalog = await Catalog.open(world.database, blobs, revision=lambda _, where, __: revisions.get(where, 0))
    catalog.hold(world.sites.table.held)
    first = catalog.routes.workers[key].newest
    await catalog.deploy("other", Build(bundle=b"x"), Manifest(entry="functions/other.ts"), actor=ADA)
    assert catalog.routes.workers[key].newest is first
    revisions[PRODUCTION] = 2
    await catalog.refresh_variables()
    assert catalog.routes.workers[key].newest.key != first.key
    at_preview = catalog.routes.workers[held_key("default", "blog--hello", PREVIEW, version)].newest
    assert (at_preview.environment, at_preview.revision) == (PREVIEW, 0)
    await catalog.reload()
    assert set(catalog.routes.workers) == {"other", key, held_key("default", "blog--hello", PREVIEW, version)}


async def test_functions_that_did_not_change_are_not_bundled_again(world: World) -> None:
    files = {**PAGE, "functions/hello.ts": HELLO}
    await world.deploy(files)
    (version,) = held(world, "blog--hello")
    await world.deploy({**files, "index.html": "new"})
    assert world.bundler.bundled == ["blog--hello"]
    assert held(world, "blog--hello") == [version]
    await world.deploy({**files, "deno.json": "{}"})
    assert world.bundler.bundled == ["blog--hello"] * 2


async def test_only_the_functions_that_changed_are_bundled_again(world: World) -> None:
    files = {**PAGE, "functions/a.ts": HELLO, "functions/b.ts": HELLO, "functions/c.ts": HELLO}
    await world.deploy(files)
    world.bundler.bundled.clear()
    changed = {**files, "functions/a.ts": HELLO + "//", "v8box.toml": "[site.functions.b.limits]\nwall_ms = 9\n"}
    await world.deploy(changed)
    assert sorted(world.bundler.bundled) == ["blog--a", "blog--b"]
    world.bundler.bundled.clear()
    await world.deploy({**changed, "functions/a/[id].ts": HELLO})  # another file of the same worker
    assert world.bundler.bundled == ["blog--a"]
    actions = await world.database.read(lambda sql: sql.rows("select * from audit order by number"))
    assert [audit.read(row).event.action for row in actions].count("version.create") == 6


async def test_when_their_worker_is_gone_they_are_bundled_again(world: World) -> None:
    files = {**PAGE, "functions/hello.ts": HELLO}
    await world.deploy(files)
    await world.service.delete("default", "blog", ADA)
    await world.deploy(files)
    assert len(held(world, "blog--hello")) == 1


async def test_files_that_were_sent_ahead_give_the_same_functions(world: World) -> None:
    texts = {"/index.html": b"<h1>", "/functions/hello.ts": HELLO.encode(), "/functions/_lib.ts": b"export const a = 1"}
    for data in texts.values():
        await world.service.upload("default", "blog", _hash(data), _once(data))
    wanted = Deploy(project="default", site="blog", actor=ADA)
    await world.service.deploy_stored(wanted, {path: _hash(data) for path, data in texts.items()})
    (stored,) = held(world, "blog--hello")
    await world.deploy({path[1:]: data for path, data in texts.items()})
    assert held(world, "blog--hello") == [stored]
    assert list((await world.live()).files) == ["/index.html"]
    assert world.staged() == []


async def test_a_fault_in_files_that_were_sent_ahead_refuses_them(world: World) -> None:
    texts = {"/index.html": b"<h1>", "/functions/bad.ts": b"syntax error"}
    for data in texts.values():
        await world.service.upload("default", "blog", _hash(data), _once(data))
    wanted = Deploy(project="default", site="blog", actor=ADA)
    with pytest.raises(FunctionsRefused, match=r"functions/bad\.ts:1"):
        await world.service.deploy_stored(wanted, {path: _hash(data) for path, data in texts.items()})
    with pytest.raises(NotFound):
        await world.sites.get("default", "blog")


async def test_other_sites_do_not_wait_for_a_registry(world: World) -> None:
    world.bundler.waits = asyncio.Event()
    slow = [
        asyncio.create_task(world.deploy({**PAGE, "functions/hello.ts": HELLO}, site=f"slow{number}"))
        for number in range(4)
    ]
    while len(world.bundler.bundled) < 4:
        await world.bundler.began.wait()
        world.bundler.began.clear()
    same = asyncio.create_task(world.deploy({"index.html": "later"}, site="slow0"))
    async with asyncio.timeout(60):
        for number in range(4):
            await world.deploy(PAGE, site=f"quick{number}")
    assert not any(each.done() for each in (*slow, same))  # one site's deploys come one after the other
    world.bundler.waits.set()
    assert [each.number for each in await asyncio.gather(*slow, same)] == [1, 1, 1, 1, 2]


async def test_a_site_of_functions_alone_is_a_site(world: World) -> None:
    release = await world.deploy({"functions/index.ts": HELLO})
    assert release.files == 0
    assert release.report["warnings"] == []


async def test_the_manifest_of_a_function_is_the_sites(world: World) -> None:
    toml = """
[site.functions."*".limits]
wall_ms = 500
[site.functions.hello]
permissions = { net = "none" }
"""
    await world.deploy({**PAGE, "v8box.toml": toml, "functions/hello.ts": HELLO, "functions/other.ts": HELLO})
    routes = {route.worker: route.newest.manifest for route in world.catalog.routes.workers.values()}
    assert routes["blog--hello"].permissions.net == "none"
    assert routes["blog--other"].permissions.net == "public"
    assert {each.limits.wall_ms for each in routes.values()} == {500}


@pytest.mark.parametrize(
    ("toml", "fault"),
    [
        ("[site.functions.helo]\n", "v8box.toml:1: functions.helo: the site has no such function: there are hello"),
        (
            '[site.functions.hello]\nentry = "x.ts"\n',
            "v8box.toml:2: functions.hello.entry is not for functions of a site",
        ),
        ("[site.functions.hello]\nlimit = 1\n", "v8box.toml:2: limit"),
        ('[site.functions.hello.bindings]\nASSETS = { site = "b" }\n', "v8box.toml:1: ASSETS is the site's own"),
    ],
)
async def test_a_fault_in_the_manifest_is_told_with_its_line(world: World, toml: str, fault: str) -> None:
    with pytest.raises(ManifestError) as refused:
        await world.deploy({**PAGE, "v8box.toml": toml, "functions/hello.ts": HELLO})
    assert refused.value.detail.startswith(fault)


def _hash(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


async def _once(data: bytes) -> AsyncIterator[bytes]:
    yield data
