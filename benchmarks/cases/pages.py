"""Sites: small files against Caddy, a large one against nginx, how soon a release is live, what idle sites cost."""

from __future__ import annotations

import http.client
import io
import os
import time
import zipfile
from collections.abc import Iterator, Mapping
from contextlib import ExitStack
from pathlib import Path
from urllib.parse import urlsplit

from benchmarks.cases.interface import Case, Scale, median
from benchmarks.cases.rounds import alternate, latency, rate
from benchmarks.load import saturate
from benchmarks.processes import anonymous_now, descendants, memory
from benchmarks.report import Row, Target
from benchmarks.servers import Server, box, box_folder, caddy, get, nginx, wait_for

LARGE_BYTES = 1024 * 1024 * 1024
SETTLE_SECONDS = 5.0
_PIECE = 1024 * 1024
_SITES = "/api/v1/projects/default/sites"


def measure(scale: Scale) -> Iterator[Row]:
    quick = scale.rounds == 1
    with ExitStack() as stack:
        folder = stack.enter_context(box_folder())
        site = folder.path / "pages" / "bench"
        site.mkdir(parents=True)
        (site / "index.html").write_text("<h1>bench</h1>")
        (site / "small.bin").write_bytes(os.urandom(10_240))
        _fill(site / "large.bin", LARGE_BYTES // 16 if quick else LARGE_BYTES)
        server = stack.enter_context(box(folder))
        ours = f"{server.url}/pages/bench"
        wait_for(f"{ours}/small.bin")
        baselines = {"caddy": stack.enter_context(caddy(site)).url, "nginx": stack.enter_context(nginx(site)).url}
        yield from _small({"box": ours, **baselines}, scale)
        yield from _large(server, {"box": ours, "nginx": baselines["nginx"]}, scale)
    with box_folder() as folder, box(folder) as server:
        token = (folder.path / "data" / "keys" / "local.token").read_text().strip()
        yield from _live(server, token, scale)
        yield from _idle(server, token, 50 if quick else 500)


def _small(sites: Mapping[str, str], scale: Scale) -> Iterator[Row]:
    """Random bytes, so that nobody has anything to compress."""
    urls = {side: f"{url}/small.bin" for side, url in sites.items()}
    rounds = alternate(urls, scale, lambda url: saturate(url, seconds=scale.seconds))
    for baseline in ("caddy", "nginx"):
        pairs = zip(rounds["box"], rounds[baseline], strict=True)
        ratio = median([ours.per_second / theirs.per_second for ours, theirs in pairs])
        note = f"{rate(rounds['box'])} against {rate(rounds[baseline])} requests/s; p50, p99: "
        note += " against ".join(latency(rounds[side]) for side in ("box", baseline))
        target = Target(bound=0.6, at_least=True) if baseline == "caddy" else None
        yield Row(name=f"10 kB file: requests/s, box / {baseline}", value=ratio, unit="x", target=target, note=note)
    failed = sum(result.failed for result in rounds["box"])
    yield Row(name="10 kB file: failed requests", value=failed, unit="", target=Target(bound=0))


def _large(server: Server, sites: Mapping[str, str], scale: Scale) -> Iterator[Row]:
    speeds: dict[str, list[float]] = {side: [] for side in sites}
    before = anonymous_now(server.pid)
    most = before
    for number in range(scale.rounds + 1):
        for side in list(sites) if number % 2 else reversed(list(sites)):
            read, seconds, peak = _download(f"{sites[side]}/large.bin", server.pid if side == "box" else None)
            most = max(most, peak)
            if number:  # the first one brings the file into memory
                speeds[side].append(read / seconds / 1e6)
    ratio = median([ours / theirs for ours, theirs in zip(speeds["box"], speeds["nginx"], strict=True)])
    note = (
        f"{median(speeds['box']):,.0f} against {median(speeds['nginx']):,.0f} MB/s; {read / 2**20:,.0f} MB, read whole"
    )
    target = Target(bound=0.8, at_least=True)
    yield Row(name="1 GB file: bytes/s, box / nginx", value=ratio, unit="x", target=target, note=note)
    note = f"anonymous memory, from {before:.0f} MB, looked at all the time"
    yield Row(name="1 GB file: the gateway grew by", value=most - before, unit="MB", target=Target(bound=8), note=note)


def _download(url: str, watched: int | None) -> tuple[int, float, float]:
    """Reads it all and keeps none of it: bytes, seconds, and the most anonymous memory of a process meanwhile."""
    parts = urlsplit(url)
    connection = http.client.HTTPConnection(parts.hostname or "", parts.port, timeout=60)
    piece = memoryview(bytearray(_PIECE))
    read, most, looked = 0, 0.0, 0
    try:
        start = time.monotonic()
        connection.request("GET", parts.path)
        response = connection.getresponse()
        if response.status != 200:
            raise RuntimeError(f"{url} answered {response.status}")
        while got := response.readinto(piece):
            read += got
            if watched is not None and read - looked > 16 * _PIECE:
                looked, most = read, max(most, anonymous_now(watched))
        return read, time.monotonic() - start, most
    finally:
        connection.close()


def _live(server: Server, token: str, scale: Scale) -> Iterator[Row]:
    """From the first byte of an archive sent to an answer from its release; and files that nobody asked for before."""
    whole, first = [], []
    for number in range(scale.repeats):
        archive = _archive(number, 1_000)
        start = time.monotonic()
        _deploy(server, token, "thousand", archive)
        wait_for(f"{server.url}/pages/thousand/p/0?{number}")
        whole.append((time.monotonic() - start) * 1000)
        for page in range(1, 41):
            answer = get(f"{server.url}/pages/thousand/p/{page}.bin")
            if answer.status != 200:
                raise RuntimeError(f"a file of a new release answered {answer.status}")
            first.append(answer.seconds * 1000)
    note = f"a ZIP of {len(archive) / 1e6:.1f} MB, all its files new; slowest {max(whole):,.0f} ms"
    yield Row(name="1,000 files as a ZIP until they answer", value=median(whole), unit="ms", note=note)
    note = f"{len(first)} files, on a connection each; slowest {max(first):.1f} ms"
    yield Row(name="a file that nobody asked for: p50", value=median(first), unit="ms", note=note)


def _archive(number: int, files: int) -> bytes:
    data = io.BytesIO()
    with zipfile.ZipFile(data, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("index.html", f"<h1>{number}</h1>")
        archive.writestr("p/0.html", f"<h1>page of {number}</h1>")
        for page in range(1, files - 1):
            archive.writestr(f"p/{page}.bin", os.urandom(2_048))
    return data.getvalue()


def _deploy(server: Server, token: str, site: str, archive: bytes) -> None:
    parts = urlsplit(server.url)
    connection = http.client.HTTPConnection(parts.hostname or "", parts.port, timeout=120)
    headers = {"authorization": f"Bearer {token}", "content-type": "application/zip"}
    try:
        connection.request("POST", f"{_SITES}/{site}/releases", archive, headers)
        response = connection.getresponse()
        told = response.read()
        if response.status != 201:
            raise RuntimeError(f"the deploy of {site} answered {response.status}: {told[:300]!r}")
    finally:
        connection.close()


def _idle(server: Server, token: str, sites: int) -> Iterator[Row]:
    before = _private(server)
    archive = _archive(0, 10)
    for number in range(sites):
        _deploy(server, token, f"idle-{number}", archive)
        get(f"{server.url}/pages/idle-{number}/")
    time.sleep(SETTLE_SECONDS)
    after = _private(server)
    note = f"private memory of all processes, {before:.0f} MB before; 10 files each, each asked for once"
    yield Row(name=f"{sites} idle sites: the box grew by", value=after - before, unit="MB", note=note)


def _private(server: Server) -> float:
    return sum(figures.private for pid in descendants(server.pid) if (figures := memory(pid)) is not None)


def _fill(path: Path, size: int) -> None:
    with path.open("wb") as file:
        for _ in range(size // _PIECE):
            file.write(os.urandom(_PIECE))


CASE = Case("pages", "Sites", measure)
