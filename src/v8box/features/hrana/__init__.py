"""Databases from outside: LibSQL's clients open the box's databases with a token.

`HranaApp` is what the gateway mounts, `Tokens` holds who may; `routes` is the admin API for tokens, not imported here
since it needs FastAPI.
"""

from v8box.features.hrana.app import HranaApp
from v8box.features.hrana.limits import HranaLimits
from v8box.features.hrana.tokens import Tokens

__all__ = ["HranaApp", "HranaLimits", "Tokens"]
