"""SQL texts that clients store under a number, so as to send each only once. Bounded for a client and for all."""

from __future__ import annotations

from v8box.bindings.interface import BindingError
from v8box.features.hrana.limits import HranaLimits
from v8box.features.hrana.protocol import PROTOCOL_ERROR


class TextBudget:
    """How many bytes all clients may still store."""

    def __init__(self, limits: HranaLimits) -> None:
        self.limits = limits
        self.left = limits.all_stored_bytes


class Texts:
    """The texts of one stream (HTTP) or one WebSocket. `clear` gives their room back."""

    __slots__ = ("_budget", "_held", "_texts")

    def __init__(self, budget: TextBudget) -> None:
        self._budget = budget
        self._held = 0
        self._texts: dict[int, str] = {}

    def find(self, sql: str | None, sql_id: int | None) -> str:
        """The text a request means; it gives exactly one of the two."""
        if sql is not None and sql_id is None:
            return sql
        if sql is not None or sql_id is None:
            raise BindingError(PROTOCOL_ERROR, "a statement has either sql or sql_id")
        try:
            return self._texts[sql_id]
        except KeyError:
            raise BindingError("SQL_NOT_FOUND", f"no SQL text is stored under {sql_id}") from None

    def store(self, sql_id: int, sql: str) -> None:
        limits = self._budget.limits
        size = len(sql.encode("utf-8", "surrogatepass"))
        if sql_id in self._texts:
            raise BindingError(PROTOCOL_ERROR, f"an SQL text is already stored under {sql_id}")
        if len(self._texts) >= limits.stored_texts or self._held + size > limits.stored_bytes:
            most = f"{limits.stored_texts} texts of {limits.stored_bytes} bytes together"
            raise BindingError("SQL_STORE_TOO_LARGE", f"a stream may store {most}: close some, or send them in full")
        if size > self._budget.left:
            raise BindingError("SQL_STORE_TOO_LARGE", "the box stores no more SQL texts now: send them in full")
        self._texts[sql_id] = sql
        self._held += size
        self._budget.left -= size

    def drop(self, sql_id: int) -> None:
        sql = self._texts.pop(sql_id, None)
        if sql is not None:
            size = len(sql.encode("utf-8", "surrogatepass"))
            self._held -= size
            self._budget.left += size

    def clear(self) -> None:
        self._texts.clear()
        self._budget.left += self._held
        self._held = 0
