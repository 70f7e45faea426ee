"""What an application is made with once, for all tests: it takes longer to make one than most tests take."""

from __future__ import annotations

from typing import Any


class Current:
    """Stands for what the test that runs has put in `real`; its attributes, taken before, for those of that."""

    def __init__(self, whole: Current | None = None, name: str = "") -> None:
        self._whole = whole
        self._name = name
        self.real: Any = None

    def _now(self) -> Any:
        if self._whole is None:
            return self.real
        whole = self._whole._now()
        return None if whole is None else getattr(whole, self._name)

    def __getattr__(self, name: str) -> Any:
        now = self._now()
        return Current(self, name) if now is None else getattr(now, name)

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        return self._now()(*args, **kwargs)
