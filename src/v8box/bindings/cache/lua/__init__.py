"""The box's own scripts. They are constant, name no project and get what is a project's as KEYS and ARGV."""

from __future__ import annotations

from importlib.resources import files
from typing import Final


def _load(name: str) -> str:
    return files(__name__).joinpath(f"{name}.lua").read_text()


MEASURE: Final = _load("measure")
WRAP_BEGIN: Final = _load("wrap_begin")
WRAP_END: Final = _load("wrap_end")
KV_CLEAN: Final = _load("kv_clean")
KV_LIST: Final = _load("kv_list")
RESTORE: Final = _load("restore")
ITEMS: Final = _load("items")
CHANGE: Final = _load("change")
KV_CHANGE: Final = _load("kv_change")
