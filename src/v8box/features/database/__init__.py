"""The Data API: databases, their structure, their rows, queries and migrations, for operators and the dashboard.

Read in the order `routes` → `names` → `structure`, `tables`, `rows`, `queries`, `migrations`. Importing this package is
cheap; `routes` imports FastAPI.
"""
