"""Writes the types of the dashboard's client: `python -m v8box.cli.api_types [FILE]`. `make gen` runs it; a test
compares."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Final

from v8box.api.reference.typescript import typescript
from v8box.cli.api_reference import document

FILE: Final = Path("dashboard/src/api/generated/api.ts")


def main(arguments: list[str]) -> None:
    file = Path(arguments[0]) if arguments else FILE
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(typescript(document()), encoding="utf-8")


if __name__ == "__main__":
    main(sys.argv[1:])
