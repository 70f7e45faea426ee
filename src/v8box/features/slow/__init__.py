"""The slow log: which addresses of which workers take long or ask the same again and again, and where the time goes."""

from v8box.features.slow.log import SlowLog

__all__ = ["SlowLog"]
