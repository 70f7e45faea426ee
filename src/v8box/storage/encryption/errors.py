"""What can be wrong with keys. Each says which key it is about, and what to do; none says anything of a key itself."""

from __future__ import annotations

from v8box.errors import V8BoxError


class MasterKeyMissing(V8BoxError):
    """The master key that the sealed data needs is not there."""

    code = "master_key_missing"


class MasterKeyWrong(V8BoxError):
    """The master key that is there is not the one that the sealed data needs."""

    code = "master_key_wrong"


class MasterKeyUnusable(V8BoxError):
    """The master key's file cannot be used."""

    code = "master_key_file"


class SealedDataDamaged(V8BoxError):
    """A data key in catalog.db was damaged. Put catalog.db back from a backup."""

    code = "sealed_data_damaged"


class SealBroken(V8BoxError):
    """A sealed value cannot be opened: it was changed, or moved from where it belongs. Set it again."""

    code = "seal_broken"


class MasterKeyElsewhere(V8BoxError):
    """The master key is not in a file of the box's own, so it is replaced where it comes from."""

    status = 409
    code = "master_key_elsewhere"
