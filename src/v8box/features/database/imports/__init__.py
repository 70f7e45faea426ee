"""Rows from files: CSV, JSON, JSON lines and SQL, read as they come and put into a table all or not at all.

Read in the order `formats` (what is in a file) → `plan` (what goes where) → `work` (the transaction) → `routes`.
"""
