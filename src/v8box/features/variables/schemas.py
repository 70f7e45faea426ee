"""What the addresses for variables and encryption take and show."""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, Field

from v8box.api.v1 import Shape, Time

Name = str


class VariableInfo(BaseModel):
    """A variable or secret at one level."""

    name: Name
    worker: str | None = Field(description="`null`: every worker of the project.")
    environment: str | None = Field(description="`null`: every environment.")
    secret: bool
    value: str | None = Field(description="`null` for a secret, and for who may not see values.")
    version: int
    updated_at: Time
    updated_by: str


class EffectiveInfo(BaseModel):
    """What a worker gets under one name, in one environment."""

    name: Name
    secret: bool
    value: str | None = Field(description="`null` for a secret, for what is missing, and for who may not see values.")
    source: str | None = Field(
        description="`manifest`, `project`, `project/<environment>`, `vault`, `worker` or `worker/<environment>`; "
        "`null`: missing."
    )
    missing: bool = Field(description="The manifest names it with an empty value, and nobody has set it.")
    overrides: list[str] = Field(description="The sources that it wins over, the strongest first.")


class ValueVersionInfo(BaseModel):
    """A value that a variable has, or had."""

    version: int
    current: bool
    secret: bool
    value: str | None = Field(description="`null` for a secret, and for who may not see values.")
    created_at: Time
    created_by: str


class VariableBody(Shape):
    """A value to set."""

    value: str = Field(description="Up to 16 KB.", repr=False)
    secret: bool | None = Field(
        default=None, strict=True, description="Left out: as it is; a new one is then no secret."
    )


class BulkBody(Shape):
    """Values to set, all or none."""

    variables: dict[str, str | VariableBody | None] = Field(
        description='By name: the value, or `{"value": …, "secret": …}`; `null` deletes it.', repr=False
    )


class ChangedInfo(BaseModel):
    """What was done."""

    set: list[Name]
    unchanged: list[Name] = Field(description="They had this value already.")
    deleted: list[Name]


class RollBackBody(Shape):
    """Where to go back to."""

    version: int = Field(ge=1, description="One of the versions that are kept.")


class EncryptionInfo(BaseModel):
    """The key that everything sealed depends on; not the key itself."""

    key_id: str = Field(description="Its fingerprint.")
    source: Literal["file", "environment"] = Field(description="`data/keys/master.key`, or `V8BOX_MASTER_KEY`.")
    since: Time = Field(description="Since when this key is in use.")
    data_keys: int = Field(description="How many data keys it wraps.")


class RotateBody(Shape):
    """What to replace."""

    master_key: bool = Field(default=True, strict=True, description="A new key file; all data keys are wrapped by it.")
    data_keys: bool = Field(
        default=False, strict=True, description="New data keys too, and every value is sealed again."
    )


class RotatedInfo(BaseModel):
    """What was replaced."""

    key_id: str = Field(description="The fingerprint of the master key now.")
    rewrapped: int = Field(description="Data keys that were wrapped anew.")
    new_data_keys: int
    resealed: int = Field(description="Values that were sealed again.")
