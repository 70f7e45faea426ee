"""Projects, the tenants of a box: `Projects`, what each may have (`Quotas`), what each has used (`Usage`)."""

from v8box.catalog.projects.quotas import (
    NAMES,
    UNBOUNDED,
    CountQuotaExceeded,
    DailyQuotaExceeded,
    QuotaExceeded,
    Quotas,
    StorageQuotaExceeded,
    quotas_of,
)
from v8box.catalog.projects.store import (
    DefaultProjectStays,
    Project,
    ProjectDeleting,
    ProjectExists,
    ProjectNotFound,
    Projects,
    ProjectState,
    TooManyProjects,
)
from v8box.catalog.projects.usage import Day, Usage

__all__ = [
    "NAMES",
    "UNBOUNDED",
    "CountQuotaExceeded",
    "DailyQuotaExceeded",
    "Day",
    "DefaultProjectStays",
    "Project",
    "ProjectDeleting",
    "ProjectExists",
    "ProjectNotFound",
    "ProjectState",
    "Projects",
    "QuotaExceeded",
    "Quotas",
    "StorageQuotaExceeded",
    "TooManyProjects",
    "Usage",
    "quotas_of",
]
