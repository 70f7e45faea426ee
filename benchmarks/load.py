"""Load, two ways: `saturate` (wrk, closed model: how much goes through), `at_rate` (open model: how late it is).

Both run in a process of their own, so that the measuring side never shares an event loop with what it measures.
"""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

_HERE = Path(__file__).parent


@dataclass(frozen=True, kw_only=True)
class Saturation:
    """What a fixed number of connections got through, each sending its next request when the last is answered."""

    per_second: float
    p50_ms: float
    p99_ms: float
    failed: int


@dataclass(frozen=True, kw_only=True)
class Lateness:
    """How long answers took, counted from when each request was due, whether or not it could be sent then."""

    sent: int
    failed: int
    p50_ms: float
    p99_ms: float
    max_ms: float
    client_lag_p99_ms: float
    """How late the client itself was: what the figures above cannot be trusted below."""


def saturate(
    url: str,
    *,
    seconds: float,
    connections: int = 32,
    post: str | None = None,
    headers: Mapping[str, str] | None = None,
) -> Saturation:
    """Drive `url` as fast as it goes. `post` is a JSON body to send with each request."""
    command = ["wrk", "-t1", f"-c{connections}", f"-d{max(1, round(seconds))}s", "--timeout", "10s"]
    for name, value in (headers or {}).items():
        command += ["-H", f"{name}: {value}"]
    command += ["-s", str(_HERE / "wrk.lua"), url, "--", *(["post", post] if post is not None else [])]
    output = subprocess.run(command, check=True, capture_output=True, text=True, timeout=seconds + 60).stdout
    figures = next(line for line in output.splitlines() if line.startswith("FIGURES")).split()[1:]
    requests, duration_us, p50_us, p99_us, status_errors, socket_errors = (float(figure) for figure in figures)
    return Saturation(
        per_second=requests / (duration_us / 1e6),
        p50_ms=p50_us / 1000,
        p99_ms=p99_us / 1000,
        failed=int(status_errors + socket_errors),
    )


def at_rate(url: str, *, rate: int, seconds: float) -> Lateness:
    """Send `rate` requests a second for `seconds`, on time, however slow the answers are."""
    with start_at_rate(url, rate=rate, seconds=seconds) as load:
        return load.finish()


class RunningLoad:
    """An open-model load that is under way."""

    def __init__(self, process: subprocess.Popen[str], seconds: float) -> None:
        self._process = process
        self._seconds = seconds

    def __enter__(self) -> RunningLoad:
        return self

    def __exit__(self, *_: object) -> None:
        self._process.kill()
        self._process.wait()

    def finish(self) -> Lateness:
        output, _ = self._process.communicate(timeout=self._seconds + 60)
        if self._process.returncode:
            raise RuntimeError(f"the load client ended with code {self._process.returncode}")
        return Lateness(**json.loads(output))

    @property
    def running(self) -> bool:
        return self._process.poll() is None


def start_at_rate(url: str, *, rate: int, seconds: float) -> RunningLoad:
    command = [sys.executable, "-m", "benchmarks.open_model", url, str(rate), str(seconds)]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True, cwd=_HERE.parent)
    return RunningLoad(process, seconds)
