"""The benchmarks are a package of the repository, not of the installation; plain `pytest` does not look for it here."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[2]))
