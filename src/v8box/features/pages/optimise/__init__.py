"""Sites made smaller: after a release is live, its files are compressed and, if the site asks, minified, in a process
of its own at the lowest priority. `optimiser.py` is where to begin; what is done to bytes is in the modules that only
`worker.py` imports."""

from v8box.features.pages.optimise.optimiser import Optimiser
from v8box.features.pages.optimise.outcomes import Outcomes
from v8box.features.pages.optimise.process import OptimiserProcess

__all__ = ["Optimiser", "OptimiserProcess", "Outcomes"]
