"""Encryption at rest: a master key wraps data keys, a data key seals values. `Encryption.open`, then `sealer(project)`.

What seals is `encryption`, the bytes are `envelope`, which master key it is `choice`, the key file `key_folder`.
"""

from v8box.storage.encryption.choice import KeySource
from v8box.storage.encryption.encryption import Encryption, EncryptionStatus, Holder, Rotated, Sealer
from v8box.storage.encryption.errors import (
    MasterKeyElsewhere,
    MasterKeyMissing,
    MasterKeyUnusable,
    MasterKeyWrong,
    SealBroken,
    SealedDataDamaged,
)

__all__ = [
    "Encryption",
    "EncryptionStatus",
    "Holder",
    "KeySource",
    "MasterKeyElsewhere",
    "MasterKeyMissing",
    "MasterKeyUnusable",
    "MasterKeyWrong",
    "Rotated",
    "SealBroken",
    "SealedDataDamaged",
    "Sealer",
]
