"""What workers throw and what they are killed for, grouped: when first and last, how often, in which versions, where in
the code; open, ignored, resolved, regressed.

`intake` hears the feed and tallies, `fingerprints` says what belongs together, `store` keeps, `service` ties them.
"""

from v8box.features.errors.model import ErrorState, Group
from v8box.features.errors.service import Errors

__all__ = ["ErrorState", "Errors", "Group"]
