"""What an application is made with once, for all tests: it takes longer to make one than most tests take."""

from __future__ import annotations

from typing import Any


class Current:
    """Stands for what the test that runs has put in `real`."""

    def __init__(self) -> None:
        self.real: Any = None

    def __getattr__(self, name: str) -> Any:
        return getattr(self.real, name)
