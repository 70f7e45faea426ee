"""Kill reports: for each limit that was breached and each crash, what was seen before, and what to do about it."""

from v8box.features.kills.service import Filter, KillReports

__all__ = ["Filter", "KillReports"]
