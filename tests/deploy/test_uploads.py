"""Deploys over the API, bundled for real: JSON, archives, whole folders; what is refused leaves nothing."""

from __future__ import annotations

import asyncio
import io
import os
import tarfile
import zipfile
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import httpx
import pytest
from tests.api.conftest import As, client_of, problem, user
from tests.catalog.conftest import ADA, Kept, kept_in

from v8box.api import staging as staging_module
from v8box.api.access import EVERY_PROJECT, Role, Scope
from v8box.api.app import build_api
from v8box.api.deployed import DeployedSite, DeployFault
from v8box.api.idempotency import Idempotency
from v8box.api.operations import Operations
from v8box.api.staging import Place, Staging
from v8box.catalog.projects import CountQuotaExceeded
from v8box.errors import BadRequest
from v8box.features.deploy import BundleError, Bundler, FolderDeploys, Subject
from v8box.features.deploy.file_routes import build_router
from v8box.features.deploy.files import WorkerFiles
from v8box.features.deploy.routes import DeployRoutes, SiteDeploys, SiteOrder, build_routers
from v8box.features.deploy.uploads import Uploads
from v8box.features.operations.routes import build_router as operation_routes
from v8box.features.workers.canary import Canaries
from v8box.features.workers.routes import build_routers as worker_routes
from v8box.features.workers.workers import Workers
from v8box.kit.archives import Bounds
from v8box.sandbox.runtime import find_deno
from v8box.telemetry.rates import Rates
from v8box.telemetry.ring import Rings
from v8box.telemetry.store import RunStore
from v8box.telemetry.tail import Tail

BASE = "http://localhost:8000"
WORKERS = "http://localhost/api/v1/projects/default/workers"
HELLO = 'export default () => "hello";\n'
TYPED = 'import { twice } from "./twice.ts";\nexport default ({ db }: V8Box.Context) => twice(21);\n'
TWICE = "export const twice = (n: number) => n * 2;\n"


class Served:
    """The routes over a catalog, a bundler and a served folder of the test's own."""

    def __init__(self, kept: Kept, data: Path, folder: Path, cache: Path) -> None:
        self.kept = kept
        self.folder = folder
        self.staging_folder = data / "staging"
        self.staging = Staging(self.staging_folder, 2)
        bundler = Bundler(folder, cache, deno=find_deno(), environ=os.environ)
        self.deploys = FolderDeploys(folder, data, kept.catalog, bundler, on_event=lambda _: None, compare_seconds=60)
        self.uploads = Uploads(kept.catalog, bundler, admit=self.admit, from_folder=self.owns)
        self.files = WorkerFiles(folder, data, self.deploys, kept.catalog, self.uploads, self.staging)
        self.quota = 100
        self.failed: list[Subject] = []
        self._task: asyncio.Task[None] | None = None

    async def admit(self, project: str, workers: Sequence[str]) -> None:
        if self.quota <= 0:
            raise CountQuotaExceeded(project, "workers", 1, 1)

    def owns(self, project: str, worker: str) -> bool:
        return project == "default" and worker in self.deploys.workers

    async def watch(self) -> None:
        """Serves the folder, too."""
        self._task = asyncio.create_task(self.deploys.run())
        await self.deploys.settle()

    async def stop(self) -> None:
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)

    def left(self) -> list[str]:
        return sorted(os.listdir(self.staging_folder))


class SitesKept:
    """Stands for the feature of sites: notes what it is given."""

    def __init__(self) -> None:
        self.orders: list[SiteOrder] = []
        self.files: list[list[str]] = []

    async def deploy(self, place: Place, order: SiteOrder, told: Callable[[str], None]) -> DeployedSite:
        told("storing")
        if order.site == "full":
            raise BadRequest("There is no room.")
        self.orders.append(order)
        self.files.append(sorted(each.relative_to(place.files).as_posix() for each in place.files.rglob("*.*")))
        return DeployedSite(name=order.site, project=order.project, release=1, url="u", release_url="r")


class NoFolder:
    """`Folder` for what the worker routes ask here."""

    def __init__(self, served: Served) -> None:
        self._served = served

    def owns(self, worker: str) -> bool:
        return self._served.owns("default", worker)

    def faults(self) -> Mapping[str, DeployFault]:
        return {}

    async def delete(self, worker: str) -> None:
        raise AssertionError(worker)


async def forget_nothing(_project: str, _worker: str) -> None:
    raise AssertionError("no worker is deleted here")


@pytest.fixture
async def served(tmp_path: Path, cache: Path) -> AsyncIterator[Served]:
    data, folder = cache, tmp_path / "box"
    (folder / "functions").mkdir(parents=True)
    async with kept_in(tmp_path / "kept") as kept:
        made = Served(kept, data, folder, cache)
        await made.staging.open()
        yield made
        await made.stop()


async def is_project(name: str) -> bool:
    return name in ("default", "acme")


@pytest.fixture
def sites() -> SitesKept:
    return SitesKept()


@pytest.fixture
async def app(served: Served, sites: SitesKept, tmp_path: Path) -> AsyncIterator[As]:
    workers = Workers(served.kept.catalog, NoFolder(served), BASE, forget_nothing)
    operations = await Operations.open(served.kept.database)
    deploys = DeployRoutes(
        served.uploads,
        served.staging,
        operations,
        show=workers.show_version,
        show_worker=workers.get,
        base=BASE,
        sites=SiteDeploys(bounds=Bounds(entries=6_000), deploy=sites.deploy),
        on_failed=lambda subject, _: served.failed.append(subject),
    )
    canaries = await Canaries.open(served.kept.database, served.kept.catalog, Rates())
    log = await RunStore.open(tmp_path / "logs", budget_bytes=10_000_000, days=14)
    routers = [
        *worker_routes(workers, canaries, Tail(log, Rings()), 100),
        *build_routers(deploys),
        build_router(served.files, workers.show_version),
        operation_routes(operations),
    ]
    ledger = await Idempotency.open(served.kept.database)
    yield As(build_api(routers, idempotency=ledger, project_exists=is_project))
    await log.close()
    await operations.close()
    await ledger.close()


@pytest.fixture
async def client(app: As) -> AsyncIterator[httpx.AsyncClient]:
    async with client_of(app) as client:
        client.timeout = httpx.Timeout(60)
        yield client


def zipped(files: Mapping[str, str | bytes]) -> bytes:
    held = io.BytesIO()
    with zipfile.ZipFile(held, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, text in files.items():
            archive.writestr(name, text)
    return held.getvalue()


def tarred(files: Mapping[str, str]) -> bytes:
    held = io.BytesIO()
    with tarfile.open(fileobj=held, mode="w:gz") as archive:
        for name, text in files.items():
            info = tarfile.TarInfo(name)
            info.size = len(text.encode())
            archive.addfile(info, io.BytesIO(text.encode()))
    return held.getvalue()


# ---- one worker


async def test_sources_become_a_version_and_the_same_ones_the_same(client: httpx.AsyncClient, served: Served) -> None:
    files = {"main.ts": TYPED, "twice.ts": TWICE, "deno.json": "{}"}
    made = await client.post(f"{WORKERS}/calc/versions", json={"files": files, "message": "first"})
    assert made.status_code == 201
    version = made.json()
    assert made.headers["location"] == f"/api/v1/projects/default/workers/calc/versions/{version['id']}"
    assert (version["number"], version["message"], version["live_in"]) == (1, "first", [])
    inside = {f"repo-1/{name}": text for name, text in files.items()}
    dotted = {f"./{name}": text for name, text in files.items()}
    forms: list[dict[str, Any]] = [
        {"files": {"file": ("a.zip", zipped(files))}},
        {"content": zipped(inside), "headers": {"content-type": "application/zip"}},
        {"content": tarred(dotted), "headers": {"content-type": "application/gzip"}},
    ]
    for form in forms:
        assert (await client.post(f"{WORKERS}/calc/versions", **form)).json()["id"] == version["id"]
    detail = (await client.get(f"{WORKERS}/calc/versions/1")).json()
    assert [each["path"] for each in detail["files"]] == ["deno.json", "main.ts", "twice.ts"]
    assert "n * 2" in (await client.get(f"{WORKERS}/calc/versions/1/bundle.js")).text
    assert str(served.staging_folder) not in (await client.get(f"{WORKERS}/calc/versions/1/bundle.js")).text
    source = (await client.get(f"{WORKERS}/calc/versions/1/source.zip")).content
    again = await client.post(f"{WORKERS}/calc/versions", content=source, headers={"content-type": "application/zip"})
    assert again.json()["id"] == version["id"]
    assert served.left() == []


async def test_a_version_goes_live_where_it_is_told_to(client: httpx.AsyncClient, served: Served) -> None:
    body = {"files": {"main.ts": HELLO}, "manifest": {"limits": {"wall_ms": 700}}}
    staged = await client.post(f"{WORKERS}/a/versions?environment=staging&message=try", json=body)
    assert staged.json()["live_in"] == [{"environment": "staging", "weight": 100}]
    assert served.kept.live() == []
    live = served.kept.catalog.routes.live("a", environment="staging")
    assert live is not None
    assert live.manifest.limits.wall_ms == 700
    put = await client.put(f"{WORKERS}/a", json={"files": {"index.js": HELLO, "v8box.toml": "[limits]\nwall_ms = 5\n"}})
    assert (put.status_code, put.json()["source"], len(put.json()["environments"])) == (200, "api", 2)
    live = served.kept.catalog.routes.live("a")
    assert live is not None
    assert (live.manifest.entry, live.manifest.limits.wall_ms) == ("index.js", 5)


async def test_an_npmrc_that_is_sent_is_not_used(
    client: httpx.AsyncClient, served: Served, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[list[str]] = []

    async def look(bundler: Any, entry: str, *, lock: bytes | None = None) -> Any:
        seen.append(sorted(os.listdir(bundler._directory)))
        raise BundleError("seen")

    monkeypatch.setattr(Bundler, "bundle", look)
    files = {"main.ts": HELLO, ".npmrc": "registry=http://169.254.169.254/"}
    await client.post(f"{WORKERS}/a/versions", json={"files": files})
    await client.post(f"{WORKERS}/a/versions", files={"file": zipped(files)})
    assert seen == [["main.ts"], ["main.ts"]]


@pytest.mark.parametrize(
    ("body", "code", "place"),
    [
        ({"files": {"main.ts": "export default () => {\n  return (;\n};"}}, "deploy_refused", ("main.ts", 2, 11)),
        ({"files": {"main.ts": 'import "./gone.ts"'}}, "deploy_refused", ("main.ts", 1, None)),
        ({"files": {"main.ts": 'import "../../../../etc/passwd"'}}, "deploy_refused", None),
        ({"files": {"main.ts": 'import "/etc/hostname"'}}, "deploy_refused", None),
        ({"files": {"x.ts": HELLO, "y.ts": HELLO}}, "deploy_refused", ("v8box.toml", None, None)),
        (
            {"files": {"main.ts": HELLO, "v8box.toml": "[limits]\nwall = 1\n"}},
            "deploy_refused",
            ("v8box.toml", 2, None),
        ),
        ({"files": {"main.ts": HELLO, "v8box.toml": "a = ["}}, "deploy_refused", ("v8box.toml", 1, None)),
        ({"files": {"main.ts": HELLO}, "manifest": {"entry": "../x.ts"}}, "deploy_refused", ("manifest", None, None)),
        ({"files": {"main.ts": HELLO}, "manifest": {"limits": {"wall_ms": 0}}}, "deploy_refused", None),
        ({"files": {"../main.ts": HELLO}}, "bad_archive", None),
        ({"files": {"main.ts": HELLO, "MAIN.ts": HELLO}}, "bad_archive", None),
        ({"files": {"a": HELLO, "a/main.ts": HELLO}}, "bad_archive", None),
        ({"files": {}}, "bad_request", None),
        ({"files": {"main.ts": HELLO}, "entry": "x"}, "bad_request", None),
        ({"files": {"main.ts": 1}}, "bad_request", None),
    ],
)
async def test_what_cannot_be_deployed_says_where_and_leaves_nothing(
    client: httpx.AsyncClient, served: Served, body: Any, code: str, place: tuple[Any, ...] | None
) -> None:
    told = problem(await client.post(f"{WORKERS}/a/versions?environment=production", json=body), 400, code)
    if code == "deploy_refused":
        first = told["diagnostics"][0]
        assert first["message"]
        assert str(served.staging_folder) not in str(told)
        if place is not None:
            found = (first.get("file"), first.get("line"), first.get("column"))
            assert all(want is None or want == have for want, have in zip(place, found, strict=True)), found
    assert await served.kept.catalog.workers() == []
    assert served.left() == []


async def test_types_are_checked_when_asked_and_a_check_keeps_nothing(
    client: httpx.AsyncClient, served: Served
) -> None:
    wrong = {"files": {"main.ts": TYPED.replace("21", '"21"'), "twice.ts": TWICE}}
    checked = (await client.post(f"{WORKERS}/calc/check", json=wrong)).json()
    assert checked["ok"] is False
    (found,) = checked["diagnostics"]
    assert (found["file"], found["line"], found["column"], found["code"]) == ("main.ts", 2, 49, "TS2345")
    assert found["message"].startswith("Argument of type 'string'")
    assert "~" not in found["message"]
    told = problem(await client.post(f"{WORKERS}/calc/versions?check=true", json=wrong), 400, "deploy_refused")
    assert told["diagnostics"][0]["code"] == "TS2345"
    broken = (await client.post(f"{WORKERS}/calc/check", json={"files": {"main.ts": "export default ("}})).json()
    assert (broken["ok"], broken["diagnostics"][0]["line"]) == (False, 1)
    no_main = (await client.post(f"{WORKERS}/calc/check", json={"files": {"x.txt": ""}})).json()
    assert "main file" in no_main["diagnostics"][0]["message"]
    good = {"files": {"main.ts": TYPED, "twice.ts": TWICE}}
    assert (await client.post(f"{WORKERS}/calc/check", json=good)).json() == {"ok": True, "diagnostics": []}
    assert await served.kept.catalog.workers() == []
    assert (await client.post(f"{WORKERS}/calc/versions?check=true", json=good)).status_code == 201


async def test_an_archive_of_a_stranger_is_refused_by_name(client: httpx.AsyncClient, served: Served) -> None:
    evil = zipped({"main.ts": HELLO, "../../evil.ts": "x"})
    told = problem(await client.post(f"{WORKERS}/a/versions", files={"file": evil}), 400, "bad_archive")
    assert told["entry"] == "../../evil.ts"
    for content, kind, status in (
        (b"nothing", "application/zip", 400),
        (b"", "application/zip", 400),
        (b"nothing", "text/plain", 415),
        (b"--x\r\n", "multipart/form-data; boundary=x", 400),
        (b"", "multipart/form-data", 400),
        (b"{", "application/json", 400),
    ):
        answer = await client.post(f"{WORKERS}/a/versions", content=content, headers={"content-type": kind})
        assert answer.status_code == status, (content, kind, answer.text)
    problem(await client.post(f"{WORKERS}/a/versions", files={"archive": b"x"}), 400, "bad_request")
    assert served.left() == []


async def test_an_upload_that_is_too_large_or_cut_off_leaves_nothing(
    client: httpx.AsyncClient, served: Served, monkeypatch: pytest.MonkeyPatch
) -> None:
    from v8box.features.deploy import routes as module

    monkeypatch.setattr(module, "MAX_UPLOAD_BYTES", 1_000)
    big = zipped({"main.ts": os.urandom(5_000)})
    problem(await client.post(f"{WORKERS}/a/versions", files={"file": big}), 413, "payload_too_large")
    body = b'--x\r\nContent-Disposition: form-data; name="file"; filename="a"\r\n\r\nPK'
    headers = {"content-type": "multipart/form-data; boundary=x"}
    problem(await client.post(f"{WORKERS}/a/versions", content=body, headers=headers), 400, "bad_request")
    assert served.left() == []


async def test_a_deploy_that_is_given_up_leaves_nothing(
    client: httpx.AsyncClient, served: Served, monkeypatch: pytest.MonkeyPatch
) -> None:
    reached = asyncio.Event()

    async def endless(*_: Any, **__: Any) -> Any:
        reached.set()
        await asyncio.Event().wait()

    monkeypatch.setattr(Bundler, "bundle", endless)
    deploying = asyncio.create_task(client.post(f"{WORKERS}/a/versions", json={"files": {"main.ts": HELLO}}))
    await reached.wait()
    assert served.left() == ["1"]
    deploying.cancel()
    await asyncio.gather(deploying, return_exceptions=True)
    assert served.left() == []
    assert await served.kept.catalog.workers() == []


async def test_deploys_beyond_what_may_wait_are_refused(
    client: httpx.AsyncClient, served: Served, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(staging_module, "MAX_WAITING", 1)
    waits = asyncio.Event()
    acquire = served.staging._turns.acquire

    async def waiting_acquire() -> Any:
        waits.set()
        return await acquire()

    async with served.staging.place(), served.staging.place():
        monkeypatch.setattr(served.staging._turns, "acquire", waiting_acquire)
        waiting = asyncio.create_task(client.post(f"{WORKERS}/a/versions", json={"files": {"main.ts": HELLO}}))
        await waits.wait()
        problem(await client.post(f"{WORKERS}/b/versions", json={"files": {"main.ts": HELLO}}), 503, "too_many_deploys")
    assert (await waiting).status_code == 201


async def test_what_a_crash_left_is_gone_at_the_next_start(served: Served) -> None:
    (served.staging_folder / "0" / "files").mkdir(parents=True)
    (served.staging_folder / "0" / "upload").write_bytes(b"x")
    await served.staging.open()
    assert served.left() == []


async def test_a_project_that_is_full_gets_no_worker(client: httpx.AsyncClient, served: Served) -> None:
    served.quota = 0
    problem(await client.put(f"{WORKERS}/a", json={"files": {"main.ts": HELLO}}), 409, "quota_exceeded")


async def test_a_deploy_may_go_on_by_itself(client: httpx.AsyncClient, served: Served) -> None:
    headers = {"prefer": "respond-async"}
    accepted = await client.post(
        f"{WORKERS}/a/versions?environment=staging", json={"files": {"main.ts": HELLO}}, headers=headers
    )
    assert accepted.status_code == 202
    operation = (await client.get(f"http://localhost{accepted.headers['location']}?wait=30")).json()
    assert (operation["state"], operation["result"]["live_in"][0]["environment"]) == ("succeeded", "staging")
    refused = await client.post(f"{WORKERS}/a/versions", json={"files": {"main.ts": "("}}, headers=headers)
    operation = (await client.get(f"http://localhost{refused.headers['location']}?wait=30")).json()
    assert (operation["state"], operation["problem"]["code"]) == ("failed", "deploy_refused")
    assert operation["problem"]["diagnostics"][0]["file"] == "main.ts"
    assert served.left() == []


# ---- a whole folder

DEPLOY = "http://localhost/api/deploy"
FOLDER = {
    "functions/a.ts": HELLO,
    "functions/b/main.ts": 'import { text } from "../../lib/text.ts";\nexport default () => text;',
    "functions/b/v8box.toml": "[limits]\nwall_ms = 900\n",
    "functions/_shared.ts": "export {}",
    "lib/text.ts": 'export const text = "b";',
    "v8box.toml": '[box]\nadmin_password = "hunter2hunter2"\n[workers.a.limits]\nwall_ms = 800\n',
}


async def test_every_worker_of_a_folder_goes_live(client: httpx.AsyncClient, served: Served) -> None:
    form = {"project": "default", "environment": "preview-7", "message": "from CI"}
    made = await client.post(DEPLOY, data=form, files={"file": ("x.zip", zipped(FOLDER))})
    assert made.status_code == 200
    body = made.json()
    assert (body["environment"], [each["name"] for each in body["workers"]]) == ("preview-7", ["a", "b"])
    assert body["workers"][0]["url"] == "http://localhost:8000/run/a@preview-7"
    routes = served.kept.catalog.routes.of(environment="preview-7")
    assert {name: each.manifest.limits.wall_ms for name, each in routes.items()} == {"a": 800, "b": 900}
    assert set(routes["b"].sources) == {"functions/b/main.ts", "functions/b/v8box.toml", "lib/text.ts"}
    assert set(routes["a"].sources) == {"functions/a.ts"}  # the box's own settings are nobody's sources
    assert served.left() == []


async def test_a_folder_goes_live_as_a_whole_or_not_at_all(client: httpx.AsyncClient, served: Served) -> None:
    broken = {**FOLDER, "functions/c.ts": "export default (", "functions/d.ts": "let x: = 1"}
    told = problem(await client.post(DEPLOY, files={"file": zipped(broken)}), 400, "deploy_refused")
    assert sorted(each["worker"] for each in told["diagnostics"]) == ["c", "d"]
    bad_manifest = {**FOLDER, "v8box.toml": "[workers.a.limits]\nwall_ms = -1\n[workers.A]\n"}
    told = problem(await client.post(DEPLOY, files={"file": zipped(bad_manifest)}), 400, "deploy_refused")
    assert {each["line"] for each in told["diagnostics"]} == {2, 3}
    problem(await client.post(DEPLOY, files={"file": zipped({"README.md": "x"})}), 400, "deploy_refused")
    assert served.kept.catalog.routes.workers == {}
    assert await served.kept.catalog.workers() == []


async def test_an_archive_may_be_one_worker(client: httpx.AsyncClient, served: Served) -> None:
    made = await client.post(DEPLOY, data={"worker": "solo"}, files={"file": zipped({"solo-main/main.ts": HELLO})})
    assert [each["name"] for each in made.json()["workers"]] == ["solo"]
    plain = await client.post(
        f"{DEPLOY}?worker=solo2", content=zipped({"main.ts": HELLO}), headers={"content-type": "application/zip"}
    )
    assert [each["name"] for each in plain.json()["workers"]] == ["solo2"]
    problem(await client.post(DEPLOY, data={"colour": "x"}, files={"file": zipped(FOLDER)}), 400, "bad_request")
    problem(await client.post(DEPLOY, data={"environment": "A"}, files={"file": zipped(FOLDER)}), 400, "bad_request")
    for name in ("../x", "A", ""):
        answer = await client.post(DEPLOY, data={"worker": name}, files={"file": zipped({"main.ts": HELLO})})
        assert answer.status_code == 400


async def test_who_may_not_deploy_there_is_refused_before_and_after(client: httpx.AsyncClient, app: As) -> None:
    upload: dict[str, Any] = {"files": {"file": zipped(FOLDER)}}
    app.principal = user("eve", {"default": Role.VIEWER})
    problem(await client.post(DEPLOY, **upload), 403, "forbidden")
    app.principal = user("eve", {"acme": Role.DEVELOPER})
    problem(await client.post(DEPLOY, **upload), 403, "forbidden")
    app.principal = user("eve", {EVERY_PROJECT: Role.OWNER}, scopes=[Scope.READ])
    problem(await client.post(DEPLOY, **upload), 403, "forbidden")
    app.principal = user("eve", {EVERY_PROJECT: Role.OWNER}, project="acme")
    problem(await client.post(DEPLOY, **upload), 403, "forbidden")
    assert (await client.post(DEPLOY, data={"project": "acme"}, **upload)).status_code == 200


SITE = {"dist/index.html": "<h1>", "dist/app.js": "1", "dist/v8box.toml": '[site]\nnot_found_handling = "none"\n'}


async def test_an_archive_without_workers_is_a_site(
    client: httpx.AsyncClient, served: Served, sites: SitesKept
) -> None:
    archive: dict[str, Any] = {"files": {"file": ("site.zip", zipped(SITE))}}
    made = await client.post(DEPLOY, data={"project": "blog", "message": "from CI"}, **archive)
    assert made.status_code == 200, made.text
    assert made.json()["site"] == {"name": "blog", "project": "default", "release": 1, "url": "u", "release_url": "r"}
    assert made.json()["workers"] == []
    await client.post(DEPLOY, data={"project": "acme"}, **archive)
    await client.post(DEPLOY, data={"site": "docs", "environment": "pr-7"}, **archive)
    assert [(each.project, each.site, each.environment, each.message) for each in sites.orders] == [
        ("default", "blog", "production", "from CI"),
        ("acme", "acme", "production", ""),
        ("default", "docs", "pr-7", ""),
    ]
    assert sites.files[0] == ["app.js", "index.html", "v8box.toml"]
    problem(await client.post(DEPLOY, **archive), 400, "bad_request")
    problem(await client.post(DEPLOY, data={"site": "a", "worker": "b"}, **archive), 400, "bad_request")
    later = await client.post(DEPLOY, data={"site": "docs"}, **archive, headers={"prefer": "respond-async"})
    ended = await client.get(f"http://localhost{later.headers['location']}?wait=30")
    assert (ended.json()["state"], ended.json()["result"]["site"]["name"]) == ("succeeded", "docs")
    assert served.left() == []


async def test_of_what_fails_it_is_told_what_it_was(client: httpx.AsyncClient, served: Served) -> None:
    broken: dict[str, Any] = {"files": {"file": ("a.zip", zipped({"main.ts": "export default ("}))}}
    for data in ({"worker": "shop"}, {}):
        assert (await client.post(DEPLOY, data=data, **broken)).status_code == 400
    page: dict[str, Any] = {"files": {"file": ("a.zip", zipped({"index.html": "hi"}))}}
    problem(await client.post(DEPLOY, data={"site": "full"}, **page), 400, "bad_request")
    assert served.failed == [Subject("default", worker="shop"), Subject("default"), Subject("default", site="full")]


async def test_workers_with_pages_beside_them_are_workers(client: httpx.AsyncClient, sites: SitesKept) -> None:
    for files in (
        {**FOLDER, "index.html": "x"},
        {"index.html": "x", "hello.ts": HELLO, "v8box.toml": '[workers.hello]\nentry = "hello.ts"\n'},
    ):
        made = await client.post(DEPLOY, data={"project": "default"}, files={"file": zipped(files)})
        assert made.json()["workers"], made.text
    assert sites.orders == []


async def test_a_site_is_deployed_by_who_may_there(client: httpx.AsyncClient, app: As, sites: SitesKept) -> None:
    archive: dict[str, Any] = {"files": {"file": zipped(SITE)}}
    app.principal = user("eve", {"acme": Role.DEVELOPER})
    problem(await client.post(DEPLOY, data={"project": "blog"}, **archive), 403, "forbidden")  # it would be default's
    problem(await client.post(DEPLOY, data={"site": "blog"}, **archive), 403, "forbidden")
    assert (await client.post(DEPLOY, data={"site": "blog", "project": "acme"}, **archive)).status_code == 200
    app.principal = user("eve", {EVERY_PROJECT: Role.OWNER}, project="acme")
    problem(await client.post(DEPLOY, data={"project": "blog"}, **archive), 403, "forbidden")
    assert len(sites.orders) == 1


async def test_workers_do_not_get_the_bounds_of_sites(client: httpx.AsyncClient, served: Served) -> None:
    many = {**FOLDER, **{f"data/{number}.txt": "x" for number in range(5_500)}}
    problem(await client.post(DEPLOY, files={"file": zipped(many)}), 400, "bad_archive")
    assert served.left() == []


# ---- workers of the served folder


def everything(folder: Path) -> list[Path]:
    return sorted(each for each in folder.rglob("*") if "kept" not in each.parts)


async def test_a_worker_of_the_folder_is_edited_there(client: httpx.AsyncClient, served: Served) -> None:
    (served.folder / "functions" / "a.ts").write_text(HELLO)
    await served.watch()
    files = f"{WORKERS}/a/files"
    assert [each["path"] for each in (await client.get(files)).json()["items"]] == ["functions/a.ts"]
    seen = await client.get(f"{files}/functions/a.ts")
    assert seen.text == HELLO
    saved = await client.put(
        f"{files}/functions/a.ts", content=HELLO.replace("hello", "one"), headers={"if-match": seen.headers["etag"]}
    )
    assert saved.status_code == 200
    assert saved.json()["version"]["live_in"] == [{"environment": "production", "weight": 100}]
    assert (served.folder / "functions" / "a.ts").read_text() == HELLO.replace("hello", "one")
    late = await client.put(
        f"{files}/functions/a.ts", content=HELLO.replace("hello", "two"), headers={"if-match": seen.headers["etag"]}
    )
    assert problem(late, 412, "precondition_failed")["etag"] == saved.headers["etag"]
    assert "one" in (served.folder / "functions" / "a.ts").read_text()
    broken = await client.put(f"{files}/functions/a.ts", content="export default (")
    assert (broken.json()["version"], broken.json()["error"]["file"]) == (None, "functions/a.ts")
    shared = await client.put(
        f"{files}/functions/_text.ts", content='export const t = "t";', headers={"if-none-match": "*"}
    )
    assert shared.status_code == 200
    again = await client.put(f"{files}/functions/_text.ts", content="x", headers={"if-none-match": "*"})
    problem(again, 412, "precondition_failed")
    used = await client.put(
        f"{files}/functions/a.ts", content='import { t } from "./_text.ts"; export default () => t;'
    )
    assert used.json()["error"] is None
    assert len((await client.get(files)).json()["items"]) == 2
    told = problem(await client.put(f"{WORKERS}/a", json={"files": {"main.ts": HELLO}}), 409, "comes_from_folder")
    assert "files/" in told["detail"]
    assert (
        await client.post(f"{WORKERS}/a/versions?environment=staging", json={"files": {"main.ts": HELLO}})
    ).is_success
    leftovers = [path.name for path in (served.folder / "functions").iterdir() if path.name.startswith(".")]
    assert leftovers == []


@pytest.mark.parametrize(
    "path",
    [
        "functions/b.ts",
        "functions/b/main.ts",
        "functions",
        "v8box.toml",
        "lib/x.ts",
        "functions/../v8box.toml",
        "functions/_x/../../v8box.toml",
        "/etc/passwd",
        "functions/.hidden.ts",
        "functions/_link/x.ts",
        "functions/_linked.ts",
        "functions/_a%5Cb.ts",
        "functions/_a%00.ts",
        "data/catalog.db",
        "",
    ],
)
async def test_no_other_file_of_the_machine_is_written_or_read(
    client: httpx.AsyncClient, served: Served, path: str, tmp_path: Path
) -> None:
    functions = served.folder / "functions"
    (functions / "a.ts").write_text(HELLO)
    (functions / "b.ts").write_text(HELLO)
    (tmp_path / "outside").mkdir()
    (tmp_path / "secret").write_text("secret")
    (functions / "_link").symlink_to(tmp_path / "outside")
    (functions / "_linked.ts").symlink_to(tmp_path / "secret")
    await served.watch()
    raw = httpx.URL(f"{WORKERS}/a/files/").copy_with(
        raw_path=f"/api/v1/projects/default/workers/a/files/{path}".encode()
    )
    before = everything(tmp_path)
    answer = await client.put(raw, content=b"evil")
    assert answer.status_code in (400, 404), answer.text
    assert (await client.get(raw)).status_code in (200 if path == "" else 404, 404)
    assert everything(tmp_path) == before
    assert (tmp_path / "secret").read_text() == "secret"


async def test_a_version_that_was_sent_opens_no_file_of_the_box(client: httpx.AsyncClient, served: Served) -> None:
    (served.folder / "functions" / "a.ts").write_text(HELLO)
    (served.folder / "v8box.toml").write_text('[box]\nadmin_password = "hunter2hunter2"\n')
    (served.folder / "main.ts").write_text("export const secret = 1;")
    await served.watch()
    body = {"files": {"main.ts": HELLO, "v8box.toml": "[limits]\nwall_ms = 700\n"}}
    staged = await client.post(f"{WORKERS}/a/versions?environment=staging", json=body)
    assert staged.status_code == 201, staged.text
    promoted = await client.post(f"{WORKERS}/a/deployments/production/promote", json={"from": "staging"})
    assert promoted.status_code == 200
    assert [each["path"] for each in (await client.get(f"{WORKERS}/a/files")).json()["items"]] == ["functions/a.ts"]
    for path in ("v8box.toml", "main.ts"):
        problem(await client.get(f"{WORKERS}/a/files/{path}"), 404, "not_found")
        problem(await client.put(f"{WORKERS}/a/files/{path}", content="x"), 400, "not_editable")


async def test_what_is_saved_back_is_what_is_read(client: httpx.AsyncClient, served: Served) -> None:
    """The same content is the same version, with an older number; the files are still those that were saved last."""
    address = f"{WORKERS}/back/files/main.ts"
    one, two = HELLO.replace("hello", "one"), HELLO.replace("hello", "two")
    await client.put(f"{WORKERS}/back", json={"files": {"main.ts": one}})
    for text in (two, one):
        seen = await client.get(address)
        saved = await client.put(
            f"{address}?environment=production", content=text, headers={"if-match": seen.headers["etag"]}
        )
        assert saved.status_code == 200, saved.text
        assert (await client.get(address)).text == text
    assert saved.json()["version"]["number"] == 1
    await served.kept.catalog.roll_back("back", "2", actor=ADA)
    assert (await client.get(address)).text == one  # a rollback changes what is live, and no file


async def test_a_file_may_be_added_before_it_is_imported_and_deleted_after(
    client: httpx.AsyncClient, served: Served
) -> None:
    files = f"{WORKERS}/parts/files"

    async def paths() -> list[str]:
        return [each["path"] for each in (await client.get(files)).json()["items"]]

    await client.put(f"{WORKERS}/parts", json={"files": {"main.ts": HELLO}})
    live = {"environment": "production"}
    assert (await client.put(f"{files}/lib/text.ts", content='export const t = "t";\n', params=live)).is_success
    assert await paths() == ["lib/text.ts", "main.ts"]
    using = 'import { t } from "./lib/text.ts"; export default () => t;\n'
    assert (await client.put(f"{files}/main.ts", content=using, params=live)).is_success
    toml = await client.put(f"{files}/v8box.toml", content="[limits]\nwall_ms = 900\n", params=live)
    assert toml.is_success
    problem(await client.delete(f"{files}/lib/text.ts", params=live), 400, "deploy_refused")
    problem(await client.delete(f"{files}/main.ts", params=live), 400, "not_editable")
    problem(await client.delete(f"{files}/nothing.ts", params=live), 404, "not_found")
    assert await paths() == ["lib/text.ts", "main.ts", "v8box.toml"]
    assert (await client.put(f"{files}/main.ts", content=HELLO, params=live)).is_success
    late = await client.delete(f"{files}/lib/text.ts", params=live, headers={"if-match": '"x"'})
    problem(late, 412, "precondition_failed")
    assert (await client.delete(f"{files}/lib/text.ts", params=live)).status_code == 204
    assert (await client.delete(f"{files}/v8box.toml", params=live)).status_code == 204
    assert await paths() == ["main.ts"]
    newest = served.kept.catalog.routes.live("parts")
    assert newest is not None
    assert newest.manifest.limits.wall_ms != 900
    assert served.left() == []


async def test_files_that_need_each_other_are_saved_together(client: httpx.AsyncClient, served: Served) -> None:
    files = f"{WORKERS}/pair/files"
    using = 'import {{ {0} }} from "./{1}"; export default () => {0};\n'
    await client.put(
        f"{WORKERS}/pair", json={"files": {"main.ts": using.format("one", "lib.ts"), "lib.ts": "export const one = 1;"}}
    )
    seen = {each["path"]: each["sha256"] for each in (await client.get(files)).json()["items"]}

    async def change(*changes: Mapping[str, Any]) -> httpx.Response:
        return await client.patch(files, json={"changes": changes}, params={"environment": "production"})

    def text(path: str, text: str | None, base: str | None = None) -> Mapping[str, Any]:
        return {"path": path, "text": text} if base is None else {"path": path, "text": text, "base_sha256": base}

    renamed = text("main.ts", using.format("two", "lib.ts"), seen["main.ts"])
    problem(await change(renamed), 400, "deploy_refused")  # one by one, neither builds
    problem(await change(text("lib.ts", "export const two = 2;")), 400, "deploy_refused")
    saved = await change(renamed, text("lib.ts", "export const two = 2;", seen["lib.ts"]))
    assert saved.status_code == 200, saved.text
    assert [each["path"] for each in saved.json()["files"]] == ["main.ts", "lib.ts"]
    assert (saved.json()["version"]["number"], saved.json()["error"]) == (2, None)  # one version of both

    # A move: gone there, here under another name, and imported from where it is.
    now = {each["path"]: each["sha256"] for each in saved.json()["files"]}
    move = (text("lib.ts", None, now["lib.ts"]), text("lib/two.ts", "export const two = 2;", ""))
    problem(await change(*move), 400, "deploy_refused")
    assert (await change(*move, text("main.ts", using.format("two", "lib/two.ts")))).is_success
    assert [each["path"] for each in (await client.get(files)).json()["items"]] == ["lib/two.ts", "main.ts"]

    late = problem(
        await change(text("main.ts", HELLO), text("lib/two.ts", "x", now["lib.ts"][::-1])), 412, "precondition_failed"
    )
    assert late["path"] == "lib/two.ts"
    taken = problem(await change(text("main.ts", HELLO), text("lib/two.ts", "x", "")), 412, "precondition_failed")
    assert taken["path"] == "lib/two.ts"
    problem(await change(text("new.ts", "x", "0" * 64)), 412, "precondition_failed")
    problem(await change(text("main.ts", None)), 400, "not_editable")
    problem(await change(text("main.ts", HELLO), text("none.ts", None)), 404, "not_found")
    problem(await change(text("a.ts", "1"), text("a.ts", "2")), 400, "bad_request")
    problem(await change(text("../a.ts", "1")), 400, "not_editable")
    problem(await change(text("A.ts", "1"), text("a.ts", "2")), 400, "bad_archive")
    problem(await change(), 400, "bad_request")
    problem(await change({"path": "a.ts"}), 400, "bad_request")
    problem(
        await client.patch(files, content=b'{"changes": [{"path": "a.ts", "text": "\\ud800"}]}'), 400, "bad_request"
    )
    assert "two" in (await client.get(f"{files}/main.ts")).text
    assert served.left() == []


async def test_files_of_the_folder_change_together_or_not_at_all(client: httpx.AsyncClient, served: Served) -> None:
    functions = served.folder / "functions"
    (functions / "a").mkdir(parents=True)
    (functions / "a" / "main.ts").write_text(HELLO)
    (functions / "a" / "old.ts").write_text("export const more = 1;\n")
    await served.watch()
    files = f"{WORKERS}/a/files"
    move = [
        {"path": "functions/a/old.ts", "text": None},
        {"path": "functions/a/lib/new.ts", "text": "export const more = 2;\n", "base_sha256": ""},
    ]
    wrong = {"path": "functions/a/main.ts", "text": "nothing", "base_sha256": "0" * 64}
    assert (
        problem(await client.patch(files, json={"changes": [*move, wrong]}), 412, "precondition_failed")["path"]
        == "functions/a/main.ts"
    )
    for outside in ("v8box.toml", "functions/b.ts"):
        problem(
            await client.patch(files, json={"changes": [*move, {"path": outside, "text": ""}]}), 400, "not_editable"
        )
    problem(
        await client.patch(files, json={"changes": [*move, {"path": "functions/a/old.ts/x.ts", "text": ""}]}),
        400,
        "not_editable",
    )
    assert sorted(each.name for each in (functions / "a").rglob("*") if each.is_file()) == ["main.ts", "old.ts"]
    using = {"path": "functions/a/main.ts", "text": 'import { more } from "./lib/new.ts"; export default () => more;'}
    saved = await client.patch(files, json={"changes": [*move, using]})
    assert (saved.status_code, saved.json()["error"]) == (200, None)
    assert not (functions / "a" / "old.ts").exists()
    assert (functions / "a" / "lib" / "new.ts").read_text() == "export const more = 2;\n"


async def test_a_file_of_the_folder_is_deleted_there(client: httpx.AsyncClient, served: Served) -> None:
    (served.folder / "functions" / "a").mkdir()
    (served.folder / "functions" / "a" / "main.ts").write_text(HELLO)
    (served.folder / "functions" / "a" / "more.ts").write_text("export const more = 1;\n")
    (served.folder / "functions" / "b.ts").write_text(HELLO)
    await served.watch()
    files = f"{WORKERS}/a/files/functions"
    problem(await client.delete(f"{files}/a/main.ts"), 400, "not_editable")
    problem(await client.delete(f"{files}/b.ts"), 400, "not_editable")
    problem(await client.delete(f"{files}/a/none.ts"), 404, "not_found")
    assert (await client.delete(f"{files}/a/more.ts")).status_code == 204
    assert not (served.folder / "functions" / "a" / "more.ts").exists()
    assert (served.folder / "functions" / "b.ts").exists()


async def test_a_worker_of_no_folder_gets_a_new_version_of_its_sources(
    client: httpx.AsyncClient, served: Served
) -> None:
    files = {"main.ts": TYPED, "twice.ts": TWICE}
    body = {"files": files, "manifest": {"limits": {"wall_ms": 700}}}
    await client.put(f"{WORKERS}/calc", json=body)
    address = f"{WORKERS}/calc/files/twice.ts"
    seen = await client.get(address)
    changed = TWICE.replace("* 2", "* 3")
    saved = await client.put(address, content=changed, headers={"if-match": seen.headers["etag"]})
    assert (saved.json()["version"]["number"], saved.json()["version"]["live_in"]) == (2, [])
    version = await served.kept.catalog.versions.find("default", "calc", "2")
    assert version.manifest.limits.wall_ms == 700
    assert b"n * 3" in await served.kept.catalog.bundle(version)
    problem(
        await client.put(address, content=TWICE, headers={"if-match": seen.headers["etag"]}), 412, "precondition_failed"
    )
    problem(await client.put(address, content="export const twice = ("), 400, "deploy_refused")
    live = await client.put(f"{address}?environment=production", content=changed + "// live\n")
    assert live.json()["version"]["live_in"] == [{"environment": "production", "weight": 100}]
    toml = await client.put(f"{WORKERS}/calc/files/v8box.toml", content="[limits]\nwall_ms = 900\n")
    newest = await served.kept.catalog.versions.find("default", "calc", toml.json()["version"]["id"])
    assert newest.manifest.limits.wall_ms == 900
    assert [each["path"] for each in (await client.get(f"{WORKERS}/calc/files")).json()["items"]] == [
        "main.ts",
        "twice.ts",
        "v8box.toml",
    ]
    problem(await client.get(f"{WORKERS}/nothing/files"), 404, "not_found")
    problem(await client.put(f"{WORKERS}/nothing/files/a.ts", content="x"), 404, "not_found")
    assert served.left() == []
