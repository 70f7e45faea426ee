"""The same database as the API's own tests have."""

from tests.api.conftest import database

__all__ = ["database"]
