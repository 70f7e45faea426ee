"""The audit log as it is read: lists, export, and a look through its chain. `telemetry/audit` writes it."""

from v8box.features.audit.store import AuditLog, Filter

__all__ = ["AuditLog", "Filter"]
