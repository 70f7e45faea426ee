"""The registry builds every binding, under the name it has on the wire."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from v8box.bindings.registry import Resources, build


def test_every_binding_is_built_under_its_name(tmp_path: Path, launch: Any) -> None:
    bindings = build(Resources(data_dir=tmp_path, valkey_url="unix:///nowhere.sock", launch=launch))
    assert list(bindings) == ["db", "cache", "s3"]
    assert all(name == binding.name for name, binding in bindings.items())
    assert list(tmp_path.iterdir()) == []  # nothing happens before `start`
