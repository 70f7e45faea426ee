"""A private Valkey, as the box has one."""

from tests.bindings.conftest import children, launch, short_dir, valkey

__all__ = ["children", "launch", "short_dir", "valkey"]
