"""Several commands in one call: a pipeline, in which each succeeds or fails alone, and a transaction."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from v8box.bindings.cache import wire
from v8box.bindings.cache.commands import Keys, Kind, Rule, Write
from v8box.bindings.cache.interface import CacheLimits, CacheStore, Command, Reply
from v8box.bindings.cache.quota import Accountant
from v8box.bindings.interface import Answer, BindingError, Call

_Allowed = tuple[Command, Rule]


async def transaction(
    store: CacheStore, project: str, commands: Sequence[Command], *, scripts: bool = False
) -> list[Reply | BindingError]:
    """The replies of `commands` run by MULTI and EXEC. A command that fails as it runs is an error among them.

    Raises `EXECABORT` when the server refused one before: then none has run, and `details["errors"]` has
    [index, code, message] of each that it refused.
    """
    run = store.execute_script if scripts else store.execute_all
    replies = await run(project, (("MULTI",), *commands, ("EXEC",)))
    last = replies[-1]
    if isinstance(last, BindingError):
        refused = [(index, reply) for index, reply in enumerate(replies[1:-1]) if isinstance(reply, BindingError)]
        raise _aborted(refused, last.message) if refused else last
    if not isinstance(last, list):
        raise BindingError("EXECABORT", "EXECABORT the server did not run the transaction")
    return list(last)


def _aborted(refused: Sequence[tuple[int, BindingError]], message: str) -> BindingError:
    return BindingError(
        "EXECABORT", message, {"errors": [[index, error.code, error.message] for index, error in refused]}
    )


class Batches:
    def __init__(self, store: CacheStore, accountant: Accountant, limits: CacheLimits) -> None:
        self._store = store
        self._accountant = accountant
        self._limits = limits

    async def pipeline(self, call: Call, prefix: str) -> Answer:
        """[0, reply] or [code, message] of each command, in order."""
        steps, checked = await self._check(call, prefix, waiting=False)
        allowed = [item[0] for item in checked if not isinstance(item, BindingError)]
        run = self._store.execute_script if _has_script(checked) else self._store.execute_all
        replies = iter(await run(call.scope.project, allowed) if allowed else ())
        outcomes = [item if isinstance(item, BindingError) else next(replies) for item in checked]
        return _answer(prefix, steps, checked, outcomes)

    async def multi(self, call: Call, prefix: str) -> Answer:
        """Like `pipeline`, all at once or, with `EXECABORT`, none."""
        steps, checked = await self._check(call, prefix, waiting=True)
        refused = [(index, item) for index, item in enumerate(checked) if isinstance(item, BindingError)]
        if refused:
            raise _aborted(refused, "EXECABORT Transaction discarded because of previous errors.")
        commands = [item[0] for item in checked if not isinstance(item, BindingError)]
        if not commands:
            return Answer([])
        outcomes = await transaction(self._store, call.scope.project, commands, scripts=_has_script(checked))
        return _answer(prefix, steps, checked, outcomes)

    async def _check(
        self, call: Call, prefix: str, *, waiting: bool
    ) -> tuple[list[wire.Step], list[_Allowed | BindingError]]:
        """Each command confined, or why it is refused. Raises `TOO_LARGE`, `QUOTA` for all of them."""
        args = call.args if call.body is None else await wire.long_args(call.body, self._limits)
        steps: list[wire.Step] = wire.read(args, wire.Batch).c
        if len(steps) > self._limits.pipeline_commands:
            raise BindingError("TOO_LARGE", f"a pipeline may have {self._limits.pipeline_commands} commands")
        checked: list[_Allowed | BindingError] = []
        total = grown = 0
        unknown = False
        for step in steps:
            step.name = step.name.lower()
            try:
                parts, rule, size = wire.confined(step.name, step.a, prefix, self._limits)
                if rule.kind is Kind.OWN:
                    raise BindingError("REFUSED", f"{step.name} of other names cannot be among others; call it alone")
                if rule.kind is Kind.BLOCKING and not waiting:
                    raise BindingError("REFUSED", f"{step.name} waits, and what is behind it would; call it alone")
            except BindingError as error:
                checked.append(error)
                continue
            checked.append((parts, rule))
            total += size
            if rule.write is Write.GROW:
                grown += size + 1
            unknown = unknown or rule.copies is not None or rule.kind is Kind.SCRIPT
        if total > self._limits.command_bytes:
            raise BindingError("TOO_LARGE", f"a pipeline may have {self._limits.command_bytes} bytes of arguments")
        if grown:
            self._accountant.charge(call.scope.project, grown)
        if unknown:
            self._accountant.look_soon()
        return steps, checked


def _has_script(checked: Sequence[_Allowed | BindingError]) -> bool:
    return any(not isinstance(item, BindingError) and item[1].kind is Kind.SCRIPT for item in checked)


def _answer(
    prefix: str, steps: list[wire.Step], checked: list[_Allowed | BindingError], outcomes: Sequence[Any]
) -> Answer:
    raw = prefix.encode()
    result: list[Any] = []
    written = 0
    for step, item, outcome in zip(steps, checked, outcomes, strict=True):
        if isinstance(outcome, BindingError) or isinstance(item, BindingError):
            result.append([outcome.code, outcome.message])
            continue
        rule = item[1]
        written += rule.write is not Write.NO
        if rule.reply is not Keys.NONE:
            outcome = wire.without_prefix(raw, step.name, rule, outcome)
        result.append([0, wire.to_json(outcome, step.raw)])
    return wire.answer_of(result, len(result), written)
