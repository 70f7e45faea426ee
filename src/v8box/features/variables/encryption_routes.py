"""`/api/v1/encryption`: which master key the box has, and replacing it. The key itself is never shown."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Response

from v8box.api.access import Principal, Role, Scope, needs
from v8box.api.v1 import answer, router_v1
from v8box.errors import BadRequest
from v8box.features.variables.schemas import EncryptionInfo, RotateBody, RotatedInfo
from v8box.storage import Transaction
from v8box.storage.encryption import Encryption
from v8box.telemetry import audit


def build_router(encryption: Encryption) -> APIRouter:
    """The routes on the box's keys."""
    routes = router_v1("/encryption", "encryption")

    @routes.get("", response_model=EncryptionInfo, dependencies=[needs(Role.ADMIN, Scope.ADMIN, box=True)])
    async def get_encryption() -> Response:
        """The master key's fingerprint, where it comes from, and since when."""
        status = await encryption.status()
        return answer(
            EncryptionInfo(
                key_id=status.key_id, source=status.source.value, since=status.since, data_keys=status.data_keys
            )
        )

    @routes.post("/rotate", response_model=RotatedInfo)
    async def rotate_encryption(
        body: RotateBody, who: Annotated[Principal, needs(Role.OWNER, Scope.ADMIN, box=True)]
    ) -> Response:
        """Replaces the key file, while the box runs; with `data_keys` also seals every value again. A key from
        `V8BOX_MASTER_KEY` is replaced there instead (409 says how)."""
        if not body.master_key and not body.data_keys:
            raise BadRequest("There is nothing to replace: set master_key or data_keys to true.")
        before = await encryption.status()

        def note(sql: Transaction, key_id: str) -> None:
            event = audit.Event(
                action="encryption.rotate",
                resource="encryption",
                actor=who.actor,
                before={"key_id": before.key_id},
                after={"key_id": key_id, "new_data_keys": body.data_keys},
            )
            audit.append(sql, event)

        rotated = await encryption.rotate(master_key=body.master_key, data_keys=body.data_keys, note=note)
        return answer(
            RotatedInfo(
                key_id=rotated.key_id,
                rewrapped=rotated.rewrapped,
                new_data_keys=rotated.new_data_keys,
                resealed=rotated.resealed,
            )
        )

    return routes
