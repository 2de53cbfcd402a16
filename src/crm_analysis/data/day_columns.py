"""Columns of days in frames that callers hand over."""

import pandas as pd


def to_days(column: pd.Series) -> pd.Series:
    """Return a column of dates, timestamps or ISO text as midnights without a zone; what is none is missing."""
    days = pd.to_datetime(column, errors="coerce", format="ISO8601")
    return (days.dt.tz_localize(None) if days.dt.tz is not None else days).dt.normalize()
