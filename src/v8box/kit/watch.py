"""Tells that something in some folders changed. It does not say what: whoever is told compares."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Final

from watchfiles._rust_notify import RustNotify  # the documented lower half: it has watches in place when it returns

_QUIET_MS: Final = 25  # a burst of events ends when nothing came for this long
_BURST_MS: Final = 80  # … or after this long
_POLL_MS: Final = 1_000  # how often the thread looks whether it should stop


class Watch:
    """Watches from construction to `stop`, in a thread. `on_change` is called in that thread, once per burst.

    Raises OSError when the kernel has no watches left. Folders that vanish fall silent: watch them anew.
    """

    def __init__(self, folders: Sequence[Path], *, recursive: bool, on_change: Callable[[], None]) -> None:
        self._stopped = threading.Event()
        self._notify = RustNotify([str(folder) for folder in folders], False, False, 0, recursive, True)
        self._on_change = on_change
        self._thread = threading.Thread(target=self._run, name="watch", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """No call of `on_change` begins after this. Blocks for some milliseconds."""
        self._stopped.set()
        self._thread.join()
        self._notify.close()

    def _run(self) -> None:
        while not self._stopped.is_set():
            result = self._notify.watch(_BURST_MS, _QUIET_MS, _POLL_MS, self._stopped)
            if isinstance(result, set) and not self._stopped.is_set():
                self._on_change()
            elif result in ("stop", "signal"):
                return
