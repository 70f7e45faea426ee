"""What is deployed: manifests, immutable versions, and the snapshot of live ones that the gateway reads."""

from v8box.catalog.catalog import Catalog, Subscriber
from v8box.catalog.manifest import (
    ENTRY_SUFFIXES,
    BadWorkerName,
    Fault,
    ManifestError,
    WorkerTable,
    box_tables,
    check_worker_name,
    own_table,
)
from v8box.catalog.model import (
    DEFAULT_PROJECT,
    PRODUCTION,
    Build,
    Change,
    EnvBinding,
    HistoryEntry,
    Limits,
    Manifest,
    Permissions,
    RouteTable,
    Version,
)

__all__ = [
    "DEFAULT_PROJECT",
    "ENTRY_SUFFIXES",
    "PRODUCTION",
    "BadWorkerName",
    "Build",
    "Catalog",
    "Change",
    "EnvBinding",
    "Fault",
    "HistoryEntry",
    "Limits",
    "Manifest",
    "ManifestError",
    "Permissions",
    "RouteTable",
    "Subscriber",
    "Version",
    "WorkerTable",
    "box_tables",
    "check_worker_name",
    "own_table",
]
