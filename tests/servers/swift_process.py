"""Swift in one process: its proxy with the S3 API and its account, container and object servers, as its own functional
tests run it. Started by `SwiftServer` in an environment that has Swift: `swift_process.py FOLDER KEY SECRET PORT…`.
"""
# mypy: ignore-errors

from __future__ import annotations

import sys
from pathlib import Path

from swift.common import utils
from swift.common.concurrency import eventlet

# Before anything else of Swift is imported: from here on every wait is eventlet's.
utils.monkey_patch()

SWIFT = """\
[swift-hash]
swift_hash_path_prefix = tests
swift_hash_path_suffix = tests
[storage-policy:0]
name = default
default = yes
"""

STORAGE = """\
[DEFAULT]
bind_ip = 127.0.0.1
bind_port = {port}
devices = {folder}/devices
mount_check = false
swift_dir = {folder}
workers = 0
log_level = ERROR
[pipeline:main]
pipeline = {kind}-server
[app:{kind}-server]
use = egg:swift#{kind}
allow_versions = true
fallocate_reserve = 0
"""

PROXY = """\
[DEFAULT]
bind_ip = 127.0.0.1
bind_port = {port}
swift_dir = {folder}
workers = 0
log_level = ERROR
[pipeline:main]
pipeline = catch_errors gatekeeper healthcheck cache listing_formats bulk s3api tempauth copy slo dlo proxy-server
[app:proxy-server]
use = egg:swift#proxy
account_autocreate = true
allow_account_management = true
[filter:tempauth]
use = egg:swift#tempauth
user_{user} = {secret} .admin
[filter:s3api]
use = egg:swift#s3api
location = us-east-1
min_segment_size = 5242880
[filter:cache]
use = egg:swift#memcache
memcache_servers = 127.0.0.1:1
[filter:catch_errors]
use = egg:swift#catch_errors
[filter:gatekeeper]
use = egg:swift#gatekeeper
[filter:healthcheck]
use = egg:swift#healthcheck
[filter:listing_formats]
use = egg:swift#listing_formats
[filter:bulk]
use = egg:swift#bulk
[filter:slo]
use = egg:swift#slo
[filter:dlo]
use = egg:swift#dlo
[filter:copy]
use = egg:swift#copy
"""


def write_ring(folder: Path, name: str, port: int) -> None:
    from swift.common.ring.builder import RingBuilder

    builder = RingBuilder(4, 1, 1)
    device = {"region": 1, "zone": 1, "ip": "127.0.0.1", "port": port, "device": "d1", "weight": 1.0, "meta": ""}
    builder.add_dev(device | {"replication_ip": "127.0.0.1", "replication_port": port})
    builder.rebalance()
    builder.get_ring().save(str(folder / f"{name}.ring.gz"))


def serve(path: Path, port: int) -> None:
    from swift.common.http_protocol import SwiftHttpProtocol
    from swift.common.wsgi import loadapp

    listening = eventlet.listen(("127.0.0.1", port), backlog=512)
    log = utils.logs.NullLogger()
    eventlet.wsgi.server(
        listening, loadapp(str(path)), log, protocol=SwiftHttpProtocol, capitalize_response_headers=False
    )


def main() -> None:
    folder, key, secret, proxy_port, *ports = sys.argv[1:]
    home = Path(folder)
    (home / "devices" / "d1").mkdir(parents=True, exist_ok=True)
    (home / "swift.conf").write_text(SWIFT)
    utils.set_swift_dir(folder)
    servers = [("proxy", int(proxy_port)), *zip(("account", "container", "object"), map(int, ports), strict=True)]
    for kind, port in servers:
        if kind != "proxy":
            write_ring(home, kind, port)
        user = key.replace(":", "_")
        text = PROXY if kind == "proxy" else STORAGE
        (home / f"{kind}.conf").write_text(text.format(folder=home, kind=kind, port=port, user=user, secret=secret))
    threads = [eventlet.spawn(serve, home / f"{kind}.conf", port) for kind, port in servers]
    for thread in threads:
        thread.wait()


if __name__ == "__main__":
    main()
