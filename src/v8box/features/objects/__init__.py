"""Buckets and objects for operators and the dashboard: list, upload, download, delete, over any `ObjectStore`.

Read in the order `routes` → `headers`, `download`. Importing this package is cheap; `routes` imports FastAPI.
"""
