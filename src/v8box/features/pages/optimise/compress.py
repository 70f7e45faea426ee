"""The same bytes compressed, as strongly as is bearable once per file. Only in the optimiser process."""

from __future__ import annotations

import gzip
from typing import Final

import brotli
import zstandard

from v8box.gateway.pages.release import Encoding

_STRONG_BYTES: Final = 1024 * 1024
"""Brotli 11 takes about two seconds for a megabyte; larger files get 9, a twentieth of that."""
_ZSTD_STRONG_BYTES: Final = 4 * 1024 * 1024
_ZSTD_WINDOW: Final = 23
"""8 MB: what a client has to bear (RFC 9659)."""
_WORTH: Final = 0.95


def compress(data: bytes) -> dict[Encoding, bytes]:
    """The forms that are at least a twentieth smaller."""
    forms: dict[Encoding, bytes] = {
        "br": brotli.compress(data, quality=11 if len(data) <= _STRONG_BYTES else 9),
        "zstd": _zstd(data),
        "gzip": gzip.compress(data, 9, mtime=0),
    }
    return {name: form for name, form in forms.items() if len(form) <= len(data) * _WORTH}


def _zstd(data: bytes) -> bytes:
    level = 19 if len(data) <= _ZSTD_STRONG_BYTES else 12
    parameters = zstandard.ZstdCompressionParameters.from_level(level, source_size=len(data))
    if parameters.window_log > _ZSTD_WINDOW:
        parameters = zstandard.ZstdCompressionParameters.from_level(level, window_log=_ZSTD_WINDOW)
    return zstandard.ZstdCompressor(compression_params=parameters).compress(data)
