"""What a variable of a worker may be called and hold, wherever it is set: a manifest, the API, a `.env` file, Vault.

Names and values go into a process's environment, and some names would change the process itself.
"""

from __future__ import annotations

from typing import Any, Final

from v8box.kit import names

RESERVED_PREFIXES: Final = ("V8BOX_", "DENO_", "LD_", "OTEL_")
MAX_NAME_BYTES: Final = 128
MAX_VALUE_BYTES: Final = 16 * 1024
MAX_KEYS: Final = 256
"""Of one manifest, of one level of variables."""


def name_faults(name: str) -> list[str]:
    """What is wrong with a name, in words that go on from it."""
    faults: list[str] = []
    if len(name) > MAX_NAME_BYTES or not names.ENV.fullmatch(name):
        faults.append(f"is no variable's name: letters, digits and underscore, {MAX_NAME_BYTES} bytes at most")
    if name.upper().startswith(RESERVED_PREFIXES):
        faults.append(f"is reserved: {' '.join(RESERVED_PREFIXES)} belong to the platform")
    return faults


def value_faults(value: Any) -> list[str]:
    """What is wrong with a value. None of them repeats it."""
    if not isinstance(value, str):
        return ["must be a text, in quotes"]
    try:
        size = len(value.encode())
    except UnicodeEncodeError:
        return ["is no text: it holds half of a character"]
    if size > MAX_VALUE_BYTES:
        return [f"is longer than {MAX_VALUE_BYTES // 1024} KB"]
    return ["must not hold a NUL character"] if "\0" in value else []


def env_faults(name: str, value: Any) -> list[str]:
    return [*name_faults(name), *value_faults(value)]
