"""Captures: CPU profiles and heap snapshots of workers, taken on demand and kept for a day."""

from v8box.features.captures.service import Captures

__all__ = ["Captures"]
