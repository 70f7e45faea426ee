"""Writes docs/api-reference.md: `python -m v8box.cli.api_reference [FILE]`. `make gen` runs it; a test compares.

The routes are built on nothing: the document is made of what they declare, not of what they do.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any, Final

from v8box.api.app import build_api
from v8box.api.reference.markdown import markdown
from v8box.app import admin_routers

FILE: Final = Path("docs/api-reference.md")


class _Nothing:
    """Stands for every store."""

    def __getattr__(self, name: str) -> Any:
        return _Nothing()

    def __call__(self, *_: Any, **__: Any) -> Any:
        return _Nothing()


def document() -> dict[str, Any]:
    """The OpenAPI document of a box."""
    parts: Any = _Nothing()
    return build_api(admin_routers(parts)).openapi()


def main(arguments: list[str]) -> None:
    file = Path(arguments[0]) if arguments else FILE
    file.write_text(markdown(document()), encoding="utf-8")


if __name__ == "__main__":
    main(sys.argv[1:])
