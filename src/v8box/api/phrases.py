"""How the API shows what a text says: its code and values, for screens in other languages than the box speaks."""

from __future__ import annotations

from pydantic import BaseModel, Field


class PhraseInfo(BaseModel):
    """One thing that a text says. Who does not know the code shows the text."""

    code: str = Field(examples=["disk_free"])
    values: dict[str, str | float] = Field(
        description="The names say the units.", examples=[{"free_bytes": 12025908428, "total_bytes": 42949672960}]
    )
