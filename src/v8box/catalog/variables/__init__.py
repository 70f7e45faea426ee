"""Variables and secrets that workers get: `Variables`, its records, and where else they may come from."""

from v8box.catalog.variables.model import (
    BadVariables,
    Changed,
    Effective,
    Level,
    Loaded,
    NewValue,
    TooManyVariables,
    ValueVersion,
    Variable,
    VariableNotFound,
    VariablesUnavailable,
    VariableUnreadable,
    Wanted,
)
from v8box.catalog.variables.source import NoSource, Source
from v8box.catalog.variables.store import Variables

__all__ = [
    "BadVariables",
    "Changed",
    "Effective",
    "Level",
    "Loaded",
    "NewValue",
    "NoSource",
    "Source",
    "TooManyVariables",
    "ValueVersion",
    "Variable",
    "VariableNotFound",
    "VariableUnreadable",
    "Variables",
    "VariablesUnavailable",
    "Wanted",
]
