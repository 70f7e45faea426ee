"""What traces cost: hello in a box that sends all of them, a tenth of them, none; and what a worker in between adds."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from benchmarks.cases.interface import Case, Scale, median
from benchmarks.cases.rounds import alternate, latency, rate
from benchmarks.load import saturate
from benchmarks.report import Row
from benchmarks.servers import WORKERS, box, box_folder, wait_for

FRONT = "export default { fetch: (request, env) => env.HELLO.fetch(request) };"
MANIFEST = '[workers.front.bindings]\nHELLO = { service = "hello" }\n'
RATIOS = {"all": "1", "a tenth": "0.1"}


def measure(scale: Scale) -> Iterator[Row]:
    with ExitStack() as stack:
        sink = stack.enter_context(_sink())
        sides: dict[str, str] = {}
        for name, ratio in (("none", ""), *RATIOS.items()):
            folder = stack.enter_context(box_folder())
            folder.add("hello", WORKERS / "hello.js")
            folder.add("front", FRONT)
            folder.manifest(MANIFEST)
            settings = {"OTEL_EXPORTER_OTLP_ENDPOINT": sink, "OTEL_TRACES_SAMPLER_ARG": ratio} if ratio else {}
            server = stack.enter_context(box(folder, **settings))
            wait_for(server.worker("hello"))
            sides[name] = server.worker("hello")
            if not ratio:
                wait_for(server.worker("front"))
                direct = {"direct": server.worker("hello"), "called": server.worker("front")}
        rounds = alternate(sides, scale, lambda url: saturate(url, seconds=scale.seconds))
        for name in RATIOS:
            pairs = zip(rounds[name], rounds["none"], strict=True)
            value = median([sent.per_second / none.per_second for sent, none in pairs])
            note = f"{rate(rounds[name])} against {rate(rounds['none'])} requests/s"
            yield Row(name=f"hello, {name} of its traces sent: requests/s / none", value=value, unit="x", note=note)
        called = alternate(direct, scale, lambda url: saturate(url, seconds=scale.seconds))
        pairs = zip(called["called"], called["direct"], strict=True)
        value = median([through.per_second / straight.per_second for through, straight in pairs])
        note = f"{rate(called['called'])} requests/s; p50, p99: {latency(called['called'])}"
        yield Row(name="hello called by another worker: requests/s / direct", value=value, unit="x", note=note)


@contextmanager
def _sink() -> Iterator[str]:
    """A collector that takes everything and looks at nothing."""

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self) -> None:
            self.rfile.read(int(self.headers["content-length"]))
            self.send_response(200)
            self.send_header("content-length", "0")
            self.end_headers()

        def log_message(self, format: str, *args: object) -> None:
            """Quiet."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


CASE = Case("traces", "Traces and calls between workers", measure)
