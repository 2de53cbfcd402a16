"""The CDNOW purchase log: 23,570 customers who first bought in the first quarter of 1997, followed to June 1998.

The files come with the `lifetimes` package. They are read from where it is installed, without importing it: the
import is slow and warns on today's pandas.
"""

import os
from importlib.metadata import distribution
from pathlib import Path

import pandas as pd


def load_cdnow() -> pd.DataFrame:
    """Return the whole CDNOW log, one row per order line.

    Returns
    -------
    DataFrame, shape (69659, 4)
        customer_id (text, "00001"), order_date, quantity (CDs), amount (US dollars).

    References
    ----------
    Fader & Hardie (2001), "Forecasting Repeat Sales at CDNOW", Interfaces 31(3).
    """
    return _read("CDNOW_master.txt", ["customer_id", "order_date", "quantity", "amount"])


def load_cdnow_sample() -> pd.DataFrame:
    """Return the log of the 1-in-10 sample that the papers are fitted to, one row per order line.

    Returns
    -------
    DataFrame, shape (6919, 5)
        customer_id (text, as in the whole log), sample_id (text, "0001" to "2357"), order_date, quantity, amount.
    """
    return _read("CDNOW_sample.txt", ["customer_id", "sample_id", "order_date", "quantity", "amount"])


def write_cdnow(path: str | Path) -> Path:
    """Write the whole CDNOW log as CSV and return its path; the file appears complete or not at all."""
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    unfinished = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        load_cdnow().to_csv(unfinished, index=False, float_format="%.2f", date_format="%Y-%m-%d")
        unfinished.replace(path)
    finally:
        unfinished.unlink(missing_ok=True)
    return path


def _read(name: str, columns: list[str]) -> pd.DataFrame:
    file = Path(str(distribution("lifetimes").locate_file(f"lifetimes/datasets/{name}")))
    # The whole log opens with a header of its own making; the sample has none.
    header = 1 if name == "CDNOW_master.txt" else 0
    types = {"customer_id": str, "sample_id": str, "order_date": str}
    log = pd.read_csv(file, sep=r"\s+", skiprows=header, names=columns, dtype=types)
    return log.assign(order_date=pd.to_datetime(log["order_date"], format="%Y%m%d"))
