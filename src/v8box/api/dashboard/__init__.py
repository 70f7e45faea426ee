"""The dashboard: the files that `make dashboard` builds into `built/`, and what serves them before the admin API."""

from v8box.api.dashboard.app import JSON_ONLY, Dashboard
from v8box.api.dashboard.files import BUILT, BuiltFiles

__all__ = ["BUILT", "JSON_ONLY", "BuiltFiles", "Dashboard"]
