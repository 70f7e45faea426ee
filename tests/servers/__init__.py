"""Real servers for the tests: sqld, Redis, Valkey, S3 as Swift and rclone serve it, and Prometheus.

Each is a context manager on a free port with a folder of its own; it can be stopped, killed, frozen and started again
on the same port and data. What they need is installed once, into `.cache/servers` of the repository. `fixtures.py` has
one of each per session.
"""

from tests.servers.process import ServerFailed, ServerProcess
from tests.servers.prometheus import Prometheus
from tests.servers.redis import RedisServer
from tests.servers.s3 import RcloneServer, S3Server, SwiftServer
from tests.servers.sqld import SqldKey, SqldReplica, SqldServer

__all__ = [
    "Prometheus",
    "RcloneServer",
    "RedisServer",
    "S3Server",
    "ServerFailed",
    "ServerProcess",
    "SqldKey",
    "SqldReplica",
    "SqldServer",
    "SwiftServer",
]
