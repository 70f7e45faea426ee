"""The digests a client may give for a body: Content-MD5, x-amz-checksum-*, x-amz-content-sha256.

All are verified. What the standard library computes costs next to nothing; CRC-32C and CRC-64/NVME are in `crc`.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import zlib
from collections.abc import Callable, Mapping
from typing import Final, Protocol

from v8box.features.s3_api.crc import CRC32C, CRC64NVME, Crc
from v8box.features.s3_api.errors import S3Error


class Digest(Protocol):
    """The part of a `hashlib` object that is used."""

    def update(self, data: bytes, /) -> None: ...
    def digest(self) -> bytes: ...


class _Crc32:
    def __init__(self) -> None:
        self._value = 0

    def update(self, data: bytes, /) -> None:
        self._value = zlib.crc32(data, self._value)

    def digest(self) -> bytes:
        return self._value.to_bytes(4, "big")


CHECKSUMS: Final[Mapping[str, tuple[int, Callable[[], Digest]]]] = {
    "crc32": (4, _Crc32),
    "crc32c": (4, lambda: Crc(CRC32C)),
    "crc64nvme": (8, lambda: Crc(CRC64NVME)),
    "sha1": (20, lambda: hashlib.sha1(usedforsecurity=False)),
    "sha256": (32, hashlib.sha256),
}
"""By the algorithm's name in `x-amz-checksum-<name>`: the digest's bytes, and a new one."""

PREFIX: Final = "x-amz-checksum-"
_OPTIONS: Final = frozenset({"x-amz-checksum-mode", "x-amz-checksum-algorithm", "x-amz-checksum-type"})


def algorithm_of(header: str) -> str | None:
    """The algorithm of a checksum header; None when the header is no checksum. Raises `S3Error` for an unknown one."""
    if not header.startswith(PREFIX) or header in _OPTIONS:
        return None
    algorithm = header.removeprefix(PREFIX)
    if algorithm not in CHECKSUMS:
        known = ", ".join(CHECKSUMS)
        raise S3Error("InvalidRequest", f"The checksum {algorithm[:40]} is not supported; these are: {known}.")
    return algorithm


def decode(value: str, size: int) -> bytes:
    """A Base64 digest of `size` bytes. Raises `S3Error`."""
    try:
        digest = base64.b64decode(value.encode("ascii"), validate=True)
    except ValueError:
        digest = b""
    if len(digest) != size:
        raise S3Error("InvalidDigest")
    return digest


class Expected:
    """What a body must hash to. Give it the body, then `verify`."""

    def __init__(self) -> None:
        self._digests: dict[str, Digest] = {}
        self._expected: dict[str, bytes] = {}
        self._delegated: list[str] = []
        self.values: dict[str, str] = {}
        """Headers of the checksums that were verified or will be: what the answer repeats."""

    def md5(self, value: str) -> None:
        """A Content-MD5."""
        self._digests["md5"] = hashlib.md5(usedforsecurity=False)
        self._expected["md5"] = decode(value, 16)

    def payload(self, hexadecimal: str) -> None:
        """The SHA-256 of x-amz-content-sha256."""
        self._digests["payload"] = hashlib.sha256()
        self._expected["payload"] = bytes.fromhex(hexadecimal)

    def announce(self, algorithm: str) -> None:
        """A checksum whose value comes in the trailer."""
        if algorithm not in self._digests:
            self._digests[algorithm] = CHECKSUMS[algorithm][1]()

    def checksum(self, algorithm: str, value: str) -> None:
        """A checksum's value, before the body or in its trailer."""
        self.announce(algorithm)
        self._expected[algorithm] = decode(value, CHECKSUMS[algorithm][0])
        self.values[PREFIX + algorithm] = value

    def delegate(self) -> dict[str, str]:
        """Takes out what somebody else will check: by algorithm, in hexadecimal. Two that contradict each other stay
        one here and one there, so that no body has both."""
        taken: dict[str, str] = {}
        for name, algorithm in (("payload", "sha256"), ("sha256", "sha256"), ("md5", "md5"), ("sha1", "sha1")):
            expected = self._expected.get(name)
            if expected is None or taken.get(algorithm, expected.hex()) != expected.hex():
                continue
            taken[algorithm] = expected.hex()
            self._delegated.append(name)
            del self._expected[name], self._digests[name]
        return taken

    def delegated_error(self) -> S3Error:
        """What it means that one of those was not right."""
        return S3Error("XAmzContentSHA256Mismatch" if self._delegated == ["payload"] else "BadDigest")

    def update(self, data: bytes) -> None:
        for digest in self._digests.values():
            digest.update(data)

    def verify(self) -> None:
        """Raises `S3Error` unless every digest is the one expected."""
        for name, digest in self._digests.items():
            if name not in self._expected:
                raise S3Error("MalformedTrailerError")
            if not hmac.compare_digest(digest.digest(), self._expected[name]):
                raise S3Error("XAmzContentSHA256Mismatch" if name == "payload" else "BadDigest")
