"""The composition root: settings → storage → catalog → sandboxes → bindings → pool → gateway. Start, serve, stop.

Only this package picks implementations. Everything it opens goes on one stack and is closed in the reverse order.
"""

from __future__ import annotations

import asyncio
import gc
import logging
import os
import signal
from collections.abc import Callable, Mapping, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Final

from granian.server.embed import Server

from v8box.api.auth import Auth
from v8box.api.idempotency import Idempotency
from v8box.api.operations import Operations
from v8box.api.staging import Staging
from v8box.app.admin import AdminParts, forget_worker
from v8box.app.bundling import build_bundler, build_function_builds
from v8box.app.deploying import open_deploying
from v8box.app.foundations import open_foundations
from v8box.app.front import build_gateway
from v8box.app.health import open_health
from v8box.app.notifications import open_notifications
from v8box.app.sites import open_sites
from v8box.app.telemetry import open_telemetry
from v8box.bindings import registry
from v8box.bindings.valkey import PrivateValkey
from v8box.errors import V8BoxError
from v8box.features.api_keys.service import ApiKeys
from v8box.features.captures import Captures
from v8box.features.deploy import Alone, DeployEvent, FolderDeploys, scaffold
from v8box.features.health.service import Health, Phase
from v8box.features.hrana import HranaApp, Tokens
from v8box.features.metrics.gauges import Gauges
from v8box.features.pages import FolderSites, SiteEvent
from v8box.features.pages.retention import retain_forever as retain_sites_forever
from v8box.features.s3_api import AccessKeys, UrlPresigner
from v8box.features.saved_queries import SavedQueries
from v8box.gateway.cache.cache import ResponseCache
from v8box.gateway.failures import Failures
from v8box.gateway.http import allow_many_files, free_port, http_server
from v8box.gateway.origins import Origins
from v8box.gateway.policies.counts import Counts
from v8box.gateway.policies.limit_sync import LimitSync
from v8box.gateway.policies.limiter import Limiter
from v8box.gateway.routing import Router
from v8box.gateway.services import ServiceCalls
from v8box.gateway.trials import Trials
from v8box.kit.lock import AlreadyLocked, DirectoryLock
from v8box.kit.runtime_folder import RuntimeFolder
from v8box.kit.tasks import TaskSet
from v8box.pool.broker import Broker
from v8box.pool.journal import Journal
from v8box.pool.pool import Pool
from v8box.pool.source_maps import SourceMaps
from v8box.sandbox.rungs import Rung
from v8box.sandbox.runtime import DenoRuntime, find_deno
from v8box.sandbox.shim import build_shim
from v8box.sandbox.spawner import Spawner
from v8box.sandbox.tools import Helpers
from v8box.settings import Settings, hidden_variables
from v8box.storage import Database
from v8box.storage.encryption import Encryption
from v8box.telemetry.records import LineRecord

if TYPE_CHECKING:
    pass

logger = logging.getLogger(__name__)

_HTTP_STOP_SECONDS: Final = 2.0
_SETTLE_SECONDS: Final = 20.0


class AlreadyRunning(V8BoxError):
    """Another box serves this data directory."""

    code = "already_running"


@dataclass(frozen=True, slots=True, kw_only=True)
class Listeners:
    """What whoever shows the box is told. All are called on the loop and must return at once."""

    on_deploy: Callable[[DeployEvent], None]
    on_site: Callable[[SiteEvent], None]
    on_line: Callable[[LineRecord], None]
    on_ready: Callable[[Box], None]
    on_password: Callable[[str], None]
    """Told the password that the first start made up for the owner: nothing else has it."""
    on_stopping: Callable[[str], None]


class Box:
    """One node. `run` is its whole life."""

    def __init__(
        self, settings: Settings, environ: Mapping[str, str], listeners: Listeners, *, alone: Alone | None = None
    ) -> None:
        """`alone`: the folder is this one worker, as `v8box dev` serves it."""
        self.settings = settings
        self._alone = alone
        self.port = settings.box.port
        self.written: Sequence[str] = ()
        """The example files that were put into an empty folder."""
        self.missing_rungs: Sequence[Rung] = ()
        self._environ = environ
        self._listeners = listeners
        self._stack = AsyncExitStack()
        self._stopping = asyncio.Event()
        self._exit_code = 0
        # set by start, in this order
        self._spawner: Spawner
        self._pool: Pool
        self._health: Health
        self._server: Server
        self._serving: asyncio.Task[None]
        self._tasks = TaskSet(self._fail)

    async def run(self) -> int:
        """Start, serve, stop. Gives the exit code."""
        try:
            await self._start()
            await self._serve()
        finally:
            await self._stop()
        return self._exit_code

    def stop(self, code: int = 0) -> None:
        """Asks the box to stop; a second call ends it at once (its processes die with it)."""
        if self._stopping.is_set():
            os._exit(130)
        self._exit_code = code
        self._stopping.set()

    # ---- start

    async def _start(self) -> None:
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, self.stop)
        settings = self.settings
        data = settings.data_directory
        allow_many_files()
        try:
            lock = await asyncio.to_thread(DirectoryLock, data)
        except AlreadyLocked as error:
            message = f"Another box (process {error.pid}) serves {data}. Stop it, or set V8BOX_DATA_DIR."
            raise AlreadyRunning(message) from error
        self._stack.callback(lock.release)
        self.port = free_port(settings.box.host, settings.box.port)
        self.written = await asyncio.to_thread(scaffold, settings.directory, data)
        # What the box and its helpers write from here on is nobody else's to read.
        self._stack.callback(os.umask, os.umask(0o077))

        spawner = self._spawner = await Spawner.start()
        self._stack.push_async_callback(spawner.stop)
        self.missing_rungs = spawner.rungs.missing()
        deno = find_deno()
        helpers = Helpers(spawner, deno)

        base = await open_foundations(settings, data, self._stack, self._tasks)
        database, catalog = base.database, base.catalog
        telemetry = await open_telemetry(settings, data, database, catalog, base.variables, self._stack, self._tasks)
        maps = SourceMaps(catalog.source_map)
        journal = Journal(telemetry.feed, maps, self._listeners.on_line, base.redactor)
        self._stack.push_async_callback(journal.stop)
        failures = Failures(telemetry.feed, maps, base.redactor)
        self._stack.push_async_callback(failures.stop)

        folder = await asyncio.to_thread(RuntimeFolder, data)
        self._stack.callback(folder.remove)
        (valkey_url, restart_valkey), shim, auth = await asyncio.gather(
            self._valkey(helpers, folder.path),
            build_shim(deno, data / "cache" / "shim", self._build_environ(data)),
            self._auth(database, base.encryption),
        )
        tokens = await Tokens.open(database)
        self._stack.push_async_callback(tokens.close)
        keys = await AccessKeys.open(database, data / "keys" / "s3.key")
        self._stack.push_async_callback(keys.stop)
        api_keys = await ApiKeys.open(database)
        self._stack.push_async_callback(api_keys.close)
        cache = ResponseCache(settings.response_cache, data / "cache" / "responses")
        await cache.open()
        self._stack.push_async_callback(cache.stop)
        bundler = build_bundler(settings, deno, helpers, self._environ)
        sites = await open_sites(
            settings,
            database=database,
            catalog=catalog,
            cache=cache,
            helpers=helpers,
            admission=base.room,
            functions=build_function_builds(bundler, catalog),
            forget_worker=partial(forget_worker, base.variables, telemetry),
            on_event=self._listeners.on_site,
            stack=self._stack,
            tasks=self._tasks,
        )
        origins = Origins(settings.otlp.trace_ratio)
        calls = ServiceCalls(lambda: catalog.routes, base.usage, origins, settings.requests.max_body_bytes)
        self._stack.push_async_callback(calls.stop)
        presigner = UrlPresigner(keys.box_key, settings.s3_url(self.port))
        services = registry.build(
            registry.Resources(
                settings=settings,
                valkey_url=valkey_url,
                restart_valkey=restart_valkey,
                launch=partial(helpers.launch_engine, data=data / "databases"),
                fetch_asset=sites.assets.fetch,
                call_service=calls,
                presign=presigner,
                admit=base.room.admit_database,
                object_bytes_of=base.room.object_bytes,
                buckets_of=base.room.buckets,
            )
        )
        cache.groups.follow_routes(catalog.routes)
        catalog.subscribe(cache.groups.follow_routes)
        self._tasks.forever(cache.store.sweep_forever(), "response cache")
        base.room.watch(services.databases, services.objects, sites.service.bytes.of)
        for binding in services.bindings.values():
            await binding.start()
            self._stack.push_async_callback(binding.stop)
        limiter, counts = Limiter(), Counts()
        limits = LimitSync(limiter, services.cache.execute_own)
        self._stack.push_async_callback(limits.stop)
        self._tasks.forever(limits.run(), "rate limits")
        broker = Broker(services.bindings)
        self._stack.push_async_callback(broker.stop)

        runtime = DenoRuntime(spawner, deno, broker, journal, allow_ipv6=settings.sandboxes.allow_ipv6)
        await runtime.start(shim, folder.path)
        self._stack.push_async_callback(runtime.stop)
        pool = self._pool = Pool(
            runtime,
            catalog.bundle,
            settings.sandboxes,
            load_variables=base.load_variables,
            on_failure=self._fail,
        )
        telemetry.rollups.gauges = Gauges(pool.look, data)
        pool.start()
        captures = await Captures.open(database, data / "captures", pool, maps.get)
        self._tasks.forever(captures.sweep_forever(), "captures")
        catalog.subscribe(pool.follow)

        deploying = await open_deploying(settings, base, bundler, telemetry.rates, alone=self._alone, tasks=self._tasks)
        deploying.listeners.append(self._listeners.on_deploy)
        imports = Staging(data / "staged-imports")
        await imports.open()
        self._tasks.forever(sites.folder.run(), "sites")
        self._tasks.forever(sites.optimiser.run(), "optimiser of sites")
        self._tasks.forever(retain_sites_forever(sites.service, settings.sites.keep_releases), "retention of sites")
        self._tasks.forever(api_keys.write_forever(), "API keys: last use")
        self._tasks.forever(base.room.measure_forever(), "storage of projects")
        self._tasks.add(self._watch_spawner(), "nursery watch")

        idempotency = await Idempotency.open(database)
        self._stack.push_async_callback(idempotency.close)
        operations = await Operations.open(database)
        self._stack.push_async_callback(operations.close)
        health = self._health = open_health(
            settings,
            services=services,
            more={} if base.vault is None else {"vault": base.vault.health},
            telemetry=telemetry,
            operations=operations,
            usage=base.usage,
            pool=pool,
            spawner=spawner,
            missing_rungs=self.missing_rungs,
        )
        self._stack.push_async_callback(health.stop)
        notices = await open_notifications(
            settings,
            database=database,
            encryption=base.encryption,
            telemetry=telemetry,
            catalog=catalog,
            health=health,
            projects=base.projects,
            usage=base.usage,
            room=base.room,
            canaries=deploying.canaries,
            stack=self._stack,
            tasks=self._tasks,
        )
        deploying.listeners.append(notices.deploy_event)
        hrana = HranaApp(services.databases, tokens)
        self._stack.push_async_callback(hrana.stop)
        admin = AdminParts(
            database=database,
            db_url=settings.db_url(self.port),
            s3_url=settings.s3_url(self.port),
            services=services,
            tokens=tokens,
            keys=keys,
            presigner=presigner,
            catalog=catalog,
            variables=base.variables,
            encryption=base.encryption,
            auth=auth,
            idempotency=idempotency,
            operations=operations,
            canaries=deploying.canaries,
            telemetry=telemetry,
            captures=captures,
            saved_queries=await SavedQueries.open(database),
            pool=pool,
            trials=Trials(settings.box.domain, lambda: gateway),
            deploys=deploying.folder,
            uploads=deploying.uploads,
            staging=deploying.staging,
            imports=imports,
            sites=sites,
            address=partial(settings.site_url, port=self.port),
            files=deploying.files,
            settings=settings,
            run_url=settings.run_url(self.port),
            router=lambda: Router(settings.box.domain, sites.server.domains),
            health=health,
            notices=notices,
            projects=base.projects,
            usage=base.usage,
            room=base.room,
            cache=cache,
            api_keys=api_keys,
            counts=counts,
        )
        gateway = build_gateway(admin, limiter=limiter, origins=origins, failures=failures, hrana=hrana)
        calls.attach(pool, gateway.perform)
        self._server = http_server(gateway, settings.box.host, self.port, settings.requests)
        self._serving = asyncio.create_task(self._server.serve(), name="http server")
        # A registry that cannot be reached must not keep the other workers, or the box itself, from being ready.
        settled = self._tasks.add(_settle(deploying.folder, sites.folder), "first deploys")
        stopping = asyncio.create_task(self._stopping.wait(), name="stop signal")
        await asyncio.wait((settled, stopping), timeout=_SETTLE_SECONDS, return_when=asyncio.FIRST_COMPLETED)
        stopping.cancel()

    async def _valkey(self, helpers: Helpers, folder: Path) -> tuple[str, Callable[[], None] | None]:
        """The address of the Valkey to use, and how to restart it; the private one is started unless another is
        named."""
        if self.settings.valkey.url is not None:
            return self.settings.valkey.url.reveal(), None
        valkey = PrivateValkey(self.settings.data_directory / "valkey", folder / "valkey", helpers.launch)
        await valkey.start()
        self._stack.push_async_callback(valkey.stop)
        return valkey.url, valkey.restart

    async def _auth(self, database: Database, encryption: Encryption) -> Auth:
        """Who may sign in. Checking a password takes a moment, so it is done beside other things."""
        settings = self.settings
        auth = await Auth.open(
            database, settings.data_directory, settings.box, settings.sign_in, encryption.sealer(None)
        )
        self._stack.push_async_callback(auth.stop)
        encryption.hold(auth.second_factor.reseal)
        if auth.made_password is not None:
            self._listeners.on_password(auth.made_password)
        return auth

    def _build_environ(self, data: Path) -> dict[str, str]:
        hidden = hidden_variables()
        passed = {name: value for name, value in self._environ.items() if name not in hidden}
        return {**passed, "DENO_DIR": str(data / "cache" / "deno"), "NO_COLOR": "1"}

    async def _watch_spawner(self) -> None:
        await asyncio.shield(self._spawner.died)
        self._fail("the process that starts sandboxes", V8BoxError("it is gone"))

    def _fail(self, name: str, error: BaseException) -> None:
        """Without this part the box would run on crippled: it stops, and whoever supervises it starts it again."""
        if self._stopping.is_set():
            return
        logger.critical("%s ended, and the box cannot go on without it: %s", name, error, exc_info=error)
        self.stop(1)

    # ---- serve

    async def _serve(self) -> None:
        # What lives from here on is long-lived: the collector need not look at it again, and the request path makes
        # almost no cycles, so it need not look often (measured: a fifth of the gateway's own time).
        gc.collect()
        gc.freeze()
        gc.set_threshold(20_000, 20, 100)
        if self._stopping.is_set():
            return
        self._announce()
        self._health.phase = Phase.SERVING
        self._listeners.on_ready(self)
        stopping = asyncio.create_task(self._stopping.wait(), name="stop signal")
        await asyncio.wait((stopping, self._serving), return_when=asyncio.FIRST_COMPLETED)
        if self._serving.done() and not stopping.done():
            stopping.cancel()
            self._serving.result()
            raise V8BoxError("The HTTP server ended by itself.")

    def _announce(self) -> None:
        """Where commands on this machine find the box, for as long as it serves."""
        host = self.settings.box.host
        place = "127.0.0.1" if host == "0.0.0.0" else "[::1]" if host == "::" else f"[{host}]" if ":" in host else host  # noqa: S104
        file = self.settings.data_directory / "address"
        file.write_text(f"http://{place}:{self.port}\n")
        self._stack.callback(file.unlink, missing_ok=True)

    # ---- stop

    async def _stop(self) -> None:
        """Numbered, each step bounded."""
        tell = self._listeners.on_stopping if self._stopping.is_set() else _nothing
        # 0. whoever shares out requests sends them elsewhere
        if hasattr(self, "_health"):
            was, self._health.phase = self._health.phase, Phase.DRAINING
            if was is Phase.SERVING and (seconds := self.settings.health.unready_seconds):
                tell(f"waiting {seconds:g} s until no more requests are sent here")
                await asyncio.sleep(seconds)
        # 1. no new connections; those that are open may finish what they asked for
        if hasattr(self, "_server"):
            tell("no new requests")
            self._server.stop()  # type: ignore[no-untyped-call] # granian has no types here
        # 2. running requests finish, then their sandboxes end
        if hasattr(self, "_pool"):
            tell("finishing running requests")
            await self._pool.stop(self.settings.sandboxes.drain_seconds)
        # 3. what is left of the connections
        if hasattr(self, "_serving"):
            await asyncio.wait([self._serving], timeout=_HTTP_STOP_SECONDS)
            self._serving.cancel()
        # 4. background work
        await self._tasks.cancel()
        # 5. bindings, Valkey, logs, database, processes: what was opened last goes first
        tell("closing stores")
        await self._stack.aclose()


async def _settle(deploys: FolderDeploys, sites: FolderSites) -> None:
    await asyncio.gather(deploys.settle(), sites.settle())


def _nothing(_: str) -> None:
    """A start that failed has said so itself."""
