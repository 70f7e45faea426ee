"""On whose behalf something is changed: the same words in the audit log, in a version's author and in a deployment.

The admin API makes an `Actor` of whoever signed in; what the box does by itself (a saved file, a canary's step) has
actors of its own here.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Final


class ActorKind(StrEnum):
    """What sort of somebody it is."""

    USER = "user"  # a person, signed in with a session
    TOKEN = "token"  # noqa: S105 - a program, with a personal token of a user's
    LOCAL = "local"  # whoever may read the data directory of the box: the command line on the same machine
    SYSTEM = "system"  # the box itself
    ANONYMOUS = "anonymous"  # nobody is signed in: a failed login


@dataclass(frozen=True, slots=True, kw_only=True)
class Actor:
    """Who changes something, and from where. `id` is stable, `name` is for people."""

    kind: ActorKind
    id: str
    name: str
    address: str | None = None
    """The client's IP address, None for the box itself."""
    request_id: str | None = None


FOLDER: Final = Actor(kind=ActorKind.SYSTEM, id="folder", name="the served folder")
CANARY: Final = Actor(kind=ActorKind.SYSTEM, id="canary", name="canary")
RETENTION: Final = Actor(kind=ActorKind.SYSTEM, id="retention", name="retention")
BOX: Final = Actor(kind=ActorKind.SYSTEM, id="box", name="the box")
