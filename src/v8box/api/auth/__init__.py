"""Sign-in: users, roles, sessions, personal tokens, the second factor, the local operator. `Auth` puts it together.

Who may call a route is `api.access`; who a request comes from, `api.guard`. The routes are features: `users`,
`sessions`, `tokens`.
"""

from v8box.api.auth.auth import Auth

__all__ = ["Auth"]
