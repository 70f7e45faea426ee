"""A project's own user on the server, so that the server too keeps it to its keys.

Each user may run the commands of `commands.py` on the project's names and nothing else. Its password is made from a
secret that lies in the server, where no project can read it: nodes that share a server share the users.
"""

from __future__ import annotations

import hashlib
import hmac
import logging
import secrets
from typing import Final

from v8box.bindings.cache.commands import server_names
from v8box.bindings.cache.interface import Isolation
from v8box.bindings.cache.lane import UNAVAILABLE, Lane
from v8box.bindings.interface import BindingError

log = logging.getLogger(__name__)

KEY_KINDS: Final = "pkl"
"""First letters of names in the server: `p:<project>:` before a worker's keys and channels, `k:` before those of its
KV namespaces, `l:` before the leases of `wrap`."""
_SEED_NAME: Final = "v8box:users"
_REFUSALS: Final = frozenset({"NOPERM", "ERR", "READONLY"})


class Users:
    """Makes users over the box's own connection, each time before one is used: a server forgets them as it restarts."""

    def __init__(self, own: Lane, *, database: int) -> None:
        self._own = own
        self._database = database
        self._commands: list[str] | None = None
        self.isolation: Isolation | None = None

    async def credentials(self, project: str) -> tuple[str, str] | None:
        """Name and password of the project's user; None on a server that does not let the box make users."""
        try:
            name, password = f"v8box-p-{project}", await self._password(project)
            await self._own.submit(("ACL", "SETUSER", name, *await self._rules(project, password)))
        except BindingError as error:
            self._commands = None  # perhaps of another server by now
            if error.code not in _REFUSALS or self.isolation == "acl":
                # A server that let the box make users must go on doing so: nothing falls back to less unasked.
                raise error if error.code == UNAVAILABLE else BindingError(UNAVAILABLE, error.message) from error
            if self.isolation is None:
                log.warning(
                    "the cache's server refuses users of projects, so the box alone keeps them apart: %s", error
                )
            self.isolation = "prefix"
            return None
        self.isolation = "acl"
        return name, password

    async def _password(self, project: str) -> str:
        await self._own.submit(("SET", _SEED_NAME, secrets.token_hex(32), "NX"))
        secret = await self._own.submit(("GET", _SEED_NAME))
        if not isinstance(secret, bytes):
            raise BindingError(UNAVAILABLE, "the cache lost its secret; try again")
        return hmac.new(secret, project.encode(), hashlib.sha256).hexdigest()

    async def _rules(self, project: str, password: str) -> list[str]:
        if self._commands is None:
            wanted = server_names()
            known = await self._own.submit(("COMMAND", "INFO", *wanted))
            if not isinstance(known, list) or len(known) != len(wanted):
                raise BindingError("ERR", "the server does not tell its commands")
            self._commands = [f"+{name}" for name, info in zip(wanted, known, strict=True) if info]
        keys = [f"~{kind}:{project}:*" for kind in KEY_KINDS]
        select = ["+select"] if self._database else []
        return ["reset", "on", f">{password}", *keys, f"&p:{project}:*", "-@all", *self._commands, *select]
