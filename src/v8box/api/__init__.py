"""The plumbing of the admin REST API: who may call, the envelope, errors as answers, the OpenAPI document.

What the API does is in `features/<feature>/routes.py`. Importing this package is cheap: FastAPI takes most of a second
to import, so only `app`, `routes` and the features' routes import it, when `LazyApp` first needs them.
"""

from v8box.api.guard import Guard
from v8box.api.lazy import LazyApp

__all__ = ["Guard", "LazyApp"]
