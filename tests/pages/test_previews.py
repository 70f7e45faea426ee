"""Passwords of previews: remembered once they were right, and not to be guessed."""

from __future__ import annotations

import asyncio

import pytest

from v8box.api.auth.passwords import Verdict
from v8box.features.pages.previews import PreviewPasswords, TooManyGuesses


class Hasher:
    """Knows one password, and counts how often it was asked."""

    def __init__(self) -> None:
        self.asked: list[str] = []
        self.gate = asyncio.Event()
        self.gate.set()

    async def check(self, password_hash: str, password: str) -> Verdict:
        self.asked.append(password)
        await self.gate.wait()
        return Verdict(password == f"right for {password_hash}")


class Clock:
    def __init__(self) -> None:
        self.now = 1_000.0

    def __call__(self) -> float:
        return self.now


async def wrong(passwords: PreviewPasswords, guess: str, client: str = "192.0.2.1", preview: str = "demo") -> bool:
    """Whether the guess was looked at."""
    try:
        assert not await passwords.verify(guess, preview, client)
    except TooManyGuesses:
        return False
    return True


async def test_a_right_password_is_checked_once_for_all_requests_of_a_page() -> None:
    hasher, clock = Hasher(), Clock()
    passwords = PreviewPasswords(hasher.check, clock=clock)
    hasher.gate.clear()
    asking = [asyncio.create_task(passwords.verify("right for demo", "demo", "192.0.2.1")) for _ in range(30)]
    await asyncio.sleep(0)
    hasher.gate.set()
    assert await asyncio.gather(*asking) == [True] * 30
    assert await passwords.verify("right for demo", "demo", "198.51.100.1")
    assert len(hasher.asked) == 1
    clock.now += 601
    assert await passwords.verify("right for demo", "demo", "192.0.2.1")
    assert len(hasher.asked) == 2


async def test_who_guesses_waits_longer_and_longer_and_nobody_else() -> None:
    hasher, clock = Hasher(), Clock()
    passwords = PreviewPasswords(hasher.check, clock=clock)
    looked_at = [await wrong(passwords, f"guess {number}") for number in range(50)]
    assert looked_at == [True] * 10 + [False] * 40
    with pytest.raises(TooManyGuesses) as refused:
        await passwords.verify("right for demo", "demo", "192.0.2.1")  # not even this one: it would tell
    assert dict(refused.value.headers)[b"retry-after"] == b"1"
    assert (refused.value.status, len(hasher.asked)) == (429, 10)
    for wait in (1, 2, 4, 8):
        clock.now += wait - 0.5
        assert not await wrong(passwords, "guess")
        clock.now += 0.5
        assert await wrong(passwords, "guess")
    assert await passwords.verify("right for demo", "demo", "198.51.100.1")
    assert await wrong(passwords, "guess", preview="other")
    # Who has it open already is let in on.
    assert await passwords.verify("right for demo", "demo", "192.0.2.1")
    clock.now += 3_600
    assert await wrong(passwords, "guess")


async def test_many_guesses_at_once_are_no_way_around() -> None:
    hasher = Hasher()
    passwords = PreviewPasswords(hasher.check, clock=Clock())
    looked_at = await asyncio.gather(*(wrong(passwords, f"{number}", f"2001:db8::{number}") for number in range(100)))
    assert sum(looked_at) == 10  # a client has a whole /64 to itself


async def test_the_right_one_begins_anew() -> None:
    hasher, clock = Hasher(), Clock()
    passwords = PreviewPasswords(hasher.check, clock=clock)
    for number in range(9):
        assert await wrong(passwords, f"{number}")
    assert await passwords.verify("right for demo", "demo", "192.0.2.1")
    assert [await wrong(passwords, f"again {number}") for number in range(11)] == [True] * 10 + [False]
