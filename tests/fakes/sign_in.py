"""Sign-in made quick for tests: argon2id with the least that it takes, and secrets that are not sealed."""

from __future__ import annotations

from argon2 import PasswordHasher

from v8box.api.auth.passwords import Passwords


def quick_hasher() -> PasswordHasher:
    return PasswordHasher(time_cost=1, memory_cost=8, parallelism=1)


def quick_passwords() -> Passwords:
    return Passwords(quick_hasher)


class NoSealer:
    """Keeps secrets as they are, but for what they were sealed for: another name does not open them."""

    def __init__(self) -> None:
        self.generation = 0

    async def seal(self, purpose: str, name: str, plain: bytes) -> bytes:
        return f"{self.generation}:{purpose}:{name}:".encode() + plain

    def open(self, purpose: str, name: str, sealed: bytes) -> bytes:
        _, found_purpose, found_name, plain = sealed.split(b":", 3)
        assert (found_purpose.decode(), found_name.decode()) == (purpose, name)
        return plain

    def is_old(self, sealed: bytes) -> bool:
        return int(sealed.split(b":", 1)[0]) < self.generation
