"""The composition root: the one place that picks implementations and wires them.

`box` is the life of one node, from settings to the last closed store; `admin` puts the admin API together.
"""

from v8box.app.admin import AdminParts, admin_routers
from v8box.app.box import AlreadyRunning, Box, Listeners

__all__ = ["AdminParts", "AlreadyRunning", "Box", "Listeners", "admin_routers"]
