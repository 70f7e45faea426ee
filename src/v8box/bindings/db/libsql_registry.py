"""Which databases a LibSQL server holds for the platform: a table in a namespace of the platform's on that server.

The admin API lists no namespaces, and several nodes must agree, so the list lives where the databases do.
"""

from __future__ import annotations

import asyncio

from v8box.bindings.db.hrana import Ask, Close, Done, Execute, Failed, Stmt, Text
from v8box.bindings.db.interface import SCRATCH_PREFIX, DatabaseId
from v8box.bindings.db.libsql_namespace import Namespace
from v8box.bindings.db.libsql_statements import QUERIES, read_done, read_rows


class LibsqlRegistry:
    """Every method raises `BindingError`."""

    def __init__(self, namespace: Namespace, node: str) -> None:
        self._namespace = namespace
        self._node = node
        self._made = False
        self._making = asyncio.Lock()

    async def register(self, database: DatabaseId) -> None:
        """Notes a database that is about to be made; harmless when it is noted already."""
        await self._ask("register", database.project, database.name, self._node, reads=False)

    async def forget(self, database: DatabaseId) -> None:
        await self._ask("forget", database.project, database.name, reads=False)

    async def names(self, project: str) -> list[str]:
        """All names, the platform's own too."""
        return [str(row[0]) for row in self._rows(await self._ask("of_project", project))]

    async def has(self, database: DatabaseId) -> bool:
        return bool(self._rows(await self._ask("is_registered", database.project, database.name)))

    async def left_over(self) -> list[DatabaseId]:
        """The platform's own databases that nobody uses any more."""
        rows = self._rows(await self._ask("scratch_of_node", SCRATCH_PREFIX, self._node))
        return [DatabaseId(str(project), str(name)) for project, name in rows]

    def _rows(self, entry: Done | Failed) -> list[list[object]]:
        return read_rows(entry, self._namespace.limits)

    async def _ask(self, query: str, *args: str, reads: bool = True) -> Done | Failed:
        if not self._made:
            async with self._making:
                if not self._made:
                    await self._run(Stmt(QUERIES["create_registry"]), reads=False)
                    self._made = True
        return await self._run(Stmt(QUERIES[query], args=[Text(arg) for arg in args]), reads=reads)

    async def _run(self, stmt: Stmt, *, reads: bool) -> Done | Failed:
        requests: list[Ask] = [Execute(stmt), Close()]
        seconds = self._namespace.limits.statement_seconds
        if reads:
            answer = await self._namespace.ask(requests, seconds=seconds, reads=True)
        else:
            async with self._namespace.write_lock().entered(seconds):
                answer = await self._namespace.ask(requests, seconds=seconds)
        read_done(answer.results[0], self._namespace.limits)
        return answer.results[0]
