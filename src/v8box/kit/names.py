"""What the names of things may look like. Strict, since a name is also a part of a path, a host or a key."""

from __future__ import annotations

import re
from typing import Final

LABEL: Final = re.compile(r"[a-z0-9][a-z0-9_-]{0,62}")
"""A worker, project, database or KV namespace."""

PROJECT: Final = re.compile(r"(?!.{41})[a-z0-9]+(?:-[a-z0-9]+)*")
"""A project: a `LABEL` that may also be a part of a host name, beside others that `--` separates."""

BUCKET: Final = re.compile(r"[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]")
"""A bucket, as S3 has it."""

ENV: Final = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
"""An environment variable, or a binding in `env`."""
