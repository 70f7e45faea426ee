"""What the box is told from outside: the environment first, `DIR/v8box.toml` second, a default third.

`load` reads both once, at start, and reports every fault it finds in one `SettingsError`. Nothing else reads the
environment. An empty variable counts as not set, as in a compose file. `[workers.*]` in the same file is the catalog's
(`catalog/manifest.py`).
"""

from v8box.settings.groups import (
    DATA_DIRECTORY,
    FILE_NAME,
    S3,
    Audit,
    Box,
    Cdn,
    Databases,
    Errors,
    Health,
    Libsql,
    Logs,
    Metrics,
    Notifications,
    Otlp,
    Projects,
    Requests,
    ResponseCache,
    Sandboxes,
    Settings,
    SignIn,
    Sites,
    Valkey,
    Vault,
)
from v8box.settings.load import hidden_variables, ignored, load, variables
from v8box.settings.values import Secret, ServerUrl

__all__ = [
    "DATA_DIRECTORY",
    "FILE_NAME",
    "S3",
    "Audit",
    "Box",
    "Cdn",
    "Databases",
    "Errors",
    "Health",
    "Libsql",
    "Logs",
    "Metrics",
    "Notifications",
    "Otlp",
    "Projects",
    "Requests",
    "ResponseCache",
    "Sandboxes",
    "Secret",
    "ServerUrl",
    "Settings",
    "SignIn",
    "Sites",
    "Valkey",
    "Vault",
    "hidden_variables",
    "ignored",
    "load",
    "variables",
]
