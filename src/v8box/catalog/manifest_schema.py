"""The JSON Schema of the manifest, for editors: made of `manifest_keys`, published in docs/v8box.schema.json.

`python -m v8box.catalog.manifest_schema` prints it; `make gen` writes the file.
"""

from __future__ import annotations

import json
from typing import Any

from v8box.catalog.json_schema import DIALECT
from v8box.catalog.manifest_keys import MANIFEST


def manifest_schema() -> dict[str, Any]:
    """Of a v8box.toml beside a worker's main file, or the block in its deno.json. `#/$defs/box` is that of the served
    folder's v8box.toml, whose other tables are settings."""
    return {
        "$schema": DIALECT,
        "title": "Manifest of a V8Box worker",
        **MANIFEST.schema(),
        "$defs": {
            "box": {
                "title": "v8box.toml of a served folder",
                "type": "object",
                "properties": {"workers": {"type": "object", "additionalProperties": {"$ref": "#"}}},
            }
        },
    }


def rendered() -> str:
    return json.dumps(manifest_schema(), indent=2, ensure_ascii=False) + "\n"


if __name__ == "__main__":
    print(rendered(), end="")  # noqa: T201 - it is what the command is for
