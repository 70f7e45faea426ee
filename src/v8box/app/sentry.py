"""Where errors of workers are forwarded to: put together from the settings and the workers' variables."""

from __future__ import annotations

from v8box.app.deployed import Deployed
from v8box.catalog.catalog import Catalog
from v8box.catalog.variables import Variables
from v8box.features.errors.sentry import VARIABLE, Forwarder
from v8box.settings import Settings


class WorkersDsns:
    """What a worker's variables name, else its manifest's `env`."""

    def __init__(self, catalog: Catalog, variables: Variables) -> None:
        self._catalog = catalog
        self._variables = variables

    def revision(self, project: str, environment: str, worker: str) -> object:
        live = self._catalog.routes.live(worker, project, environment)
        return self._variables.revision(project, environment, worker), None if live is None else live.id

    async def of(self, project: str, environment: str, worker: str) -> str | None:
        """Raises `VariablesUnavailable`."""
        named = (await self._variables.resolve(project, environment, worker)).get(VARIABLE)
        if named:
            return named
        live = self._catalog.routes.live(worker, project, environment)
        return None if live is None else live.manifest.env.get(VARIABLE)


def build_forwarder(settings: Settings, catalog: Catalog, variables: Variables) -> Forwarder:
    """To be run and stopped by whoever asks for it."""
    deployed, dsn = Deployed(catalog), settings.errors.sentry_dsn
    return Forwarder(
        WorkersDsns(catalog, variables),
        deployed,
        deployed.source,
        box_dsn=None if dsn is None else dsn.reveal(),
        server_name=settings.box.domain,
        allow_private=settings.errors.sentry_private,
    )
