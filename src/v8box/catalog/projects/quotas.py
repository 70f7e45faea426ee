"""What a project may have and use, and how it is told that it has or uses so much."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields, replace
from typing import Final

from v8box.errors import V8BoxError
from v8box.settings import Projects as ProjectSettings


@dataclass(frozen=True, slots=True, kw_only=True)
class Quotas:
    """The bounds of one project; None is no bound."""

    workers: int | None = None
    requests_per_day: int | None = None
    """Runs, however triggered, in a day of UTC."""
    cpu_seconds_per_day: int | None = None
    storage_mb: int | None = None
    """MiB of its databases, buckets and sites together."""
    databases: int | None = None
    """Beside the default one, which is always there."""
    buckets: int | None = None
    sites: int | None = None
    variables: int | None = None
    """Names that are set, on all levels together."""

    def with_own(self, own: Mapping[str, int | None]) -> Quotas:
        """These, but for those that a project has of its own."""
        return replace(self, **own)

    def as_dict(self) -> dict[str, int | None]:
        return asdict(self)


NAMES: Final = tuple(field.name for field in fields(Quotas))
UNBOUNDED: Final = Quotas()


def quotas_of(settings: ProjectSettings) -> Quotas:
    """What a new project gets. In the settings, 0 is no bound."""
    return Quotas(**{name: getattr(settings, name) or None for name in NAMES})


class QuotaExceeded(V8BoxError):
    """The project has as much as it may have. An admin of the box can raise its quota."""

    status = 409
    code = "quota_exceeded"

    def __init__(self, project: str, quota: str, limit: float, used: float, detail: str) -> None:
        super().__init__(detail)
        self.project = project
        self.quota = quota
        """Which one: a field of `Quotas`."""
        self.limit = limit
        self.used = used


class DailyQuotaExceeded(QuotaExceeded):
    """The project has used up what it may use in a day. It goes on at midnight, UTC."""

    status = 429

    def __init__(self, project: str, quota: str, limit: float, used: float, retry_after: int) -> None:
        unit = "requests" if quota == "requests_per_day" else "seconds of processor time"
        detail = (
            f"The project {project} has used its {limit:.15g} {unit} of today. It goes on at midnight UTC, or when an "
            "admin raises the quota."
        )
        super().__init__(project, quota, limit, used, detail)
        self.retry_after = retry_after
        """Seconds until midnight, UTC."""


class CountQuotaExceeded(QuotaExceeded):
    """The project has as many of these as it may have: delete some, or let an admin raise the quota."""

    def __init__(self, project: str, quota: str, limit: int, used: int) -> None:
        detail = f"The project {project} may have {limit} {quota}: delete some, or let an admin raise the quota."
        super().__init__(project, quota, limit, used, detail)


class StorageQuotaExceeded(QuotaExceeded):
    """The project's databases, buckets and sites are full: delete what is not needed, or let an admin raise the
    quota."""

    status = 507

    def __init__(self, project: str, limit: float, used: float) -> None:
        detail = (
            f"Databases, buckets and sites of the project {project} hold {used:.15g} of {limit:.15g} MiB: delete what "
            "is not needed, or let an admin raise the quota."
        )
        super().__init__(project, "storage_mb", limit, used, detail)
