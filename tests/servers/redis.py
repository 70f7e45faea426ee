"""Debian's Redis 7, or the Valkey of the box's wheel, as a server somewhere else: by TCP or by a socket."""

from __future__ import annotations

import shutil
import socket
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Literal

from tests.servers import installation
from tests.servers.ports import free_port
from tests.servers.process import ServerProcess

from v8box.bindings.valkey import find_binary

_CONFIG = """\
daemonize no
databases 16
save ""
appendonly yes
appendfsync always
dir "{directory}"
"""


class RedisServer(ServerProcess):
    """`url` is what a client is given: the user and password in it where there are any. What was acknowledged is on the
    disk, so a killed server has it when it is started again."""

    def __init__(
        self,
        directory: Path,
        *,
        engine: Literal["redis", "valkey"] = "redis",
        unix_socket: bool = False,
        user: str | None = None,
        password: str | None = None,
        config: str = "",
    ) -> None:
        super().__init__(directory)
        self._engine = engine
        text = _CONFIG.format(directory=self.directory)
        credentials = ""
        if password is not None:
            name = user or "default"
            text += "user default off\n" if user else ""
            text += f"user {name} on >{password} ~* &* +@all\n"
            credentials = f"{user or ''}:{password}@"
        # The path of a socket must be short, so it is not in the test's own folder.
        self._socket_folder = tempfile.mkdtemp(prefix="v8b") if unix_socket else None
        self._address: str | tuple[str, int]
        if self._socket_folder is not None:
            self._address = f"{self._socket_folder}/redis.sock"
            text += f'port 0\nunixsocket "{self._address}"\n'
            self.url = f"unix://{credentials}{self._address}"
        else:
            self._address = ("127.0.0.1", free_port())
            text += f"bind 127.0.0.1\nport {self._address[1]}\n"
            self.url = f"redis://{credentials}127.0.0.1:{self._address[1]}"
        self._config = self.directory / "redis.conf"
        self._config.write_text(text + config)

    def argv(self) -> Sequence[str]:
        binary = find_binary() if self._engine == "valkey" else str(installation.redis_server())
        return [binary, str(self._config)]

    def answers(self) -> bool:
        family = socket.AF_UNIX if isinstance(self._address, str) else socket.AF_INET
        with socket.socket(family) as connection:
            connection.settimeout(1)
            connection.connect(self._address)
            connection.sendall(b"PING\r\n")
            return connection.recv(64).startswith((b"+PONG", b"-NOAUTH"))  # -LOADING while it reads its file

    def __exit__(self, *error: object) -> None:
        self.stop()
        if self._socket_folder is not None:
            shutil.rmtree(self._socket_folder)
