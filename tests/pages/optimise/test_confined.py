"""The optimiser process as the box starts it: it does all of its work, and reaches nothing else."""

from __future__ import annotations

import os
import resource
from collections.abc import AsyncIterator, Mapping, Sequence
from functools import partial
from pathlib import Path

import pytest
from tests.pages.optimise.test_images import encoded, photograph

from v8box.features.pages.optimise import OptimiserProcess
from v8box.features.pages.optimise.process import Unfinished
from v8box.features.pages.optimise.wire import Request
from v8box.sandbox.runtime import find_deno
from v8box.sandbox.spawner import Spawner
from v8box.sandbox.tools import HelperProcess, Helpers
from v8box.storage import FolderBlobs


class Confined:
    def __init__(self, helpers: Helpers, store: Path) -> None:
        self.store = store
        self.children: list[HelperProcess] = []
        self._launch = partial(helpers.launch_optimiser, store=store)
        self.process = OptimiserProcess(self.launch, store)

    async def launch(self, argv: Sequence[str], stdin: int, env: Mapping[str, str]) -> HelperProcess:
        self.children.append(await self._launch(argv, stdin, env))
        return self.children[-1]


@pytest.fixture
async def confined(tmp_path: Path) -> AsyncIterator[Confined]:
    spawner = await Spawner.start()
    if not spawner.rungs.landlock_abi:
        await spawner.stop()
        pytest.skip("this kernel has no Landlock")
    made = Confined(Helpers(spawner, find_deno()), tmp_path / "sites")
    yield made
    await made.process.stop()
    await spawner.stop()


async def test_all_of_its_work_is_possible(confined: Confined) -> None:
    blobs = FolderBlobs(confined.store)
    await blobs.open()
    page = await blobs.put(b"<p>\n    a\n<script> let  a </script><style> a { b : c } </style>" + b" " * 300)
    reply = await confined.process.work(Request(page, minify="html", compress=True))
    assert reply.content is not None
    assert b"<script>let a</script><style>a{b:c}</style>" in reply.content
    assert set(reply.encodings) == {"br", "zstd", "gzip"}
    drawing = await blobs.put(b"<svg xmlns='http://www.w3.org/2000/svg'>\n  <g/>\n</svg>")
    assert (await confined.process.work(Request(drawing, minify="svg"))).content
    picture = await blobs.put(encoded(photograph(), "JPEG", quality=92))
    assert set((await confined.process.work(Request(picture, picture=True))).variants) == {"image/webp", "image/avif"}

    (child,) = confined.children
    assert os.sched_getscheduler(child.pid) == os.SCHED_IDLE
    assert os.getpriority(os.PRIO_PROCESS, child.pid) == 19
    assert child.cpu_seconds > 0
    assert resource.prlimit(child.pid, resource.RLIMIT_DATA) == (1536 * 1024**2, 1536 * 1024**2)


TRIES = """
import os, socket, sys
done = []
def attempt(name, action):
    try:
        action()
    except OSError:
        return
    done.append(name)
attempt("read a file of the machine", lambda: open("/etc/passwd").read())
attempt("read a file of the box", lambda: open(sys.argv[1] + "/../catalog.db").read())
attempt("write into the store", lambda: open(sys.argv[1] + "/new", "w").write("x"))
attempt("change a file of the store", lambda: os.utime(sys.argv[1] + "/old"))
attempt("remove a file of the store", lambda: os.unlink(sys.argv[1] + "/old"))
attempt("reach the network", lambda: socket.socket(socket.AF_INET, socket.SOCK_STREAM))
attempt("start a process", lambda: os.fork())
sys.exit("could " + ", ".join(done) if done else 7)
"""


async def test_nothing_else_is(confined: Confined, tmp_path: Path) -> None:
    confined.store.mkdir()
    (confined.store / "old").write_text("x")
    (tmp_path / "catalog.db").write_text("x")

    async def launch(argv: Sequence[str], stdin: int, env: Mapping[str, str]) -> HelperProcess:
        return await confined.launch([argv[0], "-c", TRIES, argv[-1]], stdin, env)

    with pytest.raises(Unfinished, match="exit code 7"):
        await OptimiserProcess(launch, confined.store).work(Request("ab" * 32))
    assert (confined.store / "old").read_text() == "x"
