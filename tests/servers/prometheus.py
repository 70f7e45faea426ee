"""Debian's Prometheus, which looks at one target every second, and its `promtool`."""

from __future__ import annotations

import json
import subprocess
import urllib.request
from collections.abc import Sequence
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

from tests.servers import installation
from tests.servers.ports import free_port
from tests.servers.process import ServerProcess


class Prometheus(ServerProcess):
    """`url` is its own address. `token_file`: what it sends as a bearer token."""

    def __init__(
        self, directory: Path, target: str, *, token_file: Path | None = None, rules: Path | None = None
    ) -> None:
        super().__init__(directory)
        self._port = free_port()
        self.url = f"http://127.0.0.1:{self._port}"
        job: dict[str, Any] = {"job_name": "v8box", "static_configs": [{"targets": [target]}]}
        if token_file is not None:
            job["authorization"] = {"credentials_file": str(token_file)}
        config: dict[str, Any] = {
            "global": {"scrape_interval": "1s", "evaluation_interval": "1s"},
            "scrape_configs": [job],
        }
        if rules is not None:
            config["rule_files"] = [str(rules)]
        self._config = self.directory / "prometheus.yml"
        self._config.write_text(json.dumps(config))  # JSON is YAML

    def argv(self) -> Sequence[str]:
        return [
            str(installation.prometheus()),
            f"--config.file={self._config}",
            f"--storage.tsdb.path={self.directory / 'tsdb'}",
            f"--web.listen-address=127.0.0.1:{self._port}",
            "--enable-feature=exemplar-storage",
            "--log.level=warn",
        ]

    def answers(self) -> bool:
        with urllib.request.urlopen(f"{self.url}/-/ready", timeout=5) as answer:
            return bool(answer.status == 200)

    def get(self, path: str, **query: str) -> Any:
        """`data` of an answer of its API."""
        with urllib.request.urlopen(f"{self.url}/api/v1/{path}?{urlencode(query)}", timeout=60) as answer:
            found = json.load(answer)
        assert found["status"] == "success", found
        return found["data"]

    def value(self, query: str) -> float | None:
        """The first value that a query gives now."""
        found = self.get("query", query=query)["result"]
        return float(found[0]["value"][1]) if found else None


def promtool(*arguments: str, stdin: bytes | None = None) -> subprocess.CompletedProcess[bytes]:
    command = [str(installation.promtool()), *arguments]
    return subprocess.run(command, input=stdin, capture_output=True, timeout=60, check=False)
