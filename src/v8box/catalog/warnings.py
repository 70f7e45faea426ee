"""What is not wrong with a manifest, but worth saying when it is deployed."""

from __future__ import annotations

from collections.abc import Collection

from v8box.catalog.model import Manifest


def missing_variables(manifest: Manifest, names: Collection[str]) -> tuple[str, ...]:
    """The variables that the manifest requires and nobody has set: neither `names` has them nor its own `env`."""
    return tuple(name for name in manifest.env_required if name not in names and not manifest.env.get(name))


def warnings_of(manifest: Manifest, names: Collection[str], environment: str) -> tuple[str, ...]:
    """In sentences. `names` are those of the variables that the worker gets there from outside its manifest."""
    found = []
    if missing := missing_variables(manifest, names):
        found.append(f"{', '.join(missing)} is not set in {environment}: the worker does not start until it is")
    if manifest.schedules:
        found.append("its schedules are kept with the version, but this box does not run them yet")
    if manifest.queues:
        found.append("its queues are kept with the version, but this box does not serve them yet")
    return tuple(found)
