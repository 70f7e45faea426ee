"""Saved queries: SQL that the members of a project keep under a name, for one of its databases."""

from v8box.features.saved_queries.service import SavedQueries

__all__ = ["SavedQueries"]
