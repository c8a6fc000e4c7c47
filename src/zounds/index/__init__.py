"""Indexes: codes to hits.

`Codes` are searched in memory; `kinds` says how, the way that is in use first; `near_duplicates`
groups codes.
"""

from zounds.index.codes import Codes
from zounds.index.duplicates import near_duplicates
from zounds.index.scan import kinds

__all__ = ["Codes", "kinds", "near_duplicates"]
