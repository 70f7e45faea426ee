"""The memory of a worker's processes, and whether they leak."""
