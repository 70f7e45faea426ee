"""Projects as the admin API shows them: their quotas, their use, and the removal of all that one owns."""

from v8box.features.projects.owned import Owned, of_buckets, of_databases
from v8box.features.projects.room import Room
from v8box.features.projects.service import ProjectService

__all__ = ["Owned", "ProjectService", "Room", "of_buckets", "of_databases"]
