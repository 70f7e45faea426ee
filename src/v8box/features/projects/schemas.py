"""Projects in JSON."""

from __future__ import annotations

from pydantic import BaseModel, Field

from v8box.api.v1 import Shape
from v8box.catalog.projects import Project, ProjectState, Quotas

_MOST = 2**53 - 1


class QuotasInfo(BaseModel):
    """The bounds that count; `null` is no bound."""

    workers: int | None
    requests_per_day: int | None
    cpu_seconds_per_day: int | None
    storage_mb: int | None
    databases: int | None
    buckets: int | None
    sites: int | None
    variables: int | None


class QuotaChanges(Shape):
    """Those that are named are changed; `null` is no bound."""

    workers: int | None = Field(default=None, ge=0, le=_MOST)
    requests_per_day: int | None = Field(default=None, ge=0, le=_MOST, description="Runs in a day of UTC.")
    cpu_seconds_per_day: int | None = Field(default=None, ge=0, le=_MOST)
    storage_mb: int | None = Field(
        default=None, ge=0, le=_MOST, description="MiB of databases, buckets and sites together."
    )
    databases: int | None = Field(default=None, ge=0, le=_MOST, description="Beside the default one.")
    buckets: int | None = Field(default=None, ge=0, le=_MOST)
    sites: int | None = Field(default=None, ge=0, le=_MOST)
    variables: int | None = Field(default=None, ge=0, le=_MOST)

    def named(self) -> dict[str, int | None]:
        return {name: getattr(self, name) for name in self.model_fields_set}


class NewProject(Shape):
    """A project to make."""

    name: str = Field(
        max_length=40,
        pattern="^[a-z0-9]+(-[a-z0-9]+)*$",
        description="It stays as it is: it is a part of addresses.",
        examples=["shop"],
    )
    title: str = Field(default="", max_length=100, description="For people. Left out: the name.")
    quotas: QuotaChanges = Field(default_factory=QuotaChanges, description="Those left out are the settings'.")


class ProjectChange(Shape):
    """What is named is changed."""

    title: str | None = Field(default=None, max_length=100)
    quotas: QuotaChanges = Field(default_factory=QuotaChanges)


class ProjectInfo(BaseModel):
    """A project."""

    name: str
    title: str
    created_at: str = Field(json_schema_extra={"format": "date-time"})
    state: ProjectState = Field(description="`deleting`: it cannot be used any more.")
    quotas: QuotasInfo

    @classmethod
    def of(cls, project: Project, quotas: Quotas) -> ProjectInfo:
        return cls(
            name=project.name,
            title=project.title,
            created_at=project.created_at,
            state=project.state,
            quotas=QuotasInfo(**quotas.as_dict()),
        )


class Used(BaseModel):
    """How much of a quota is used."""

    used: float
    limit: int | None = Field(description="`null`: no bound.")


class DayUsage(BaseModel):
    """What was used in one day."""

    day: str = Field(json_schema_extra={"format": "date"}, description="UTC.")
    requests: int
    cpu_seconds: float


class UsageInfo(BaseModel):
    """What a project has and uses, with its quotas."""

    project: str
    resets_at: str = Field(
        json_schema_extra={"format": "date-time"}, description="When the quotas of a day begin anew: midnight UTC."
    )
    requests_per_day: Used
    cpu_seconds_per_day: Used
    storage_mb: Used
    workers: Used
    databases: Used
    buckets: Used
    sites: Used
    variables: Used
    days: list[DayUsage] = Field(description="The last days with any use, today at the end.")


class MemberInfo(BaseModel):
    """Somebody with a role in the project itself."""

    user: str = Field(description="The user's id.")
    name: str
    role: str
    disabled: bool
