"""The tables beside the purchase log: customers, memberships, prospects, the market, and exits.

They are small beside the log, so that each comes to this process as a frame. Columns are read by the rules of the log's
own door.
"""

from collections.abc import Mapping
from typing import Any

from ibis.backends import BaseBackend

from crm_analysis.data.contracts import CUSTOMERS, EXITS, MARKET, MEMBERSHIPS, PROSPECTS, Day
from crm_analysis.data.side_door import SideTable, read_side_table
from crm_analysis.settings import EngineSettings


def read_customers(
    source: Any,
    *,
    columns: Mapping[str, str] | None = None,
    as_of: Day | None = None,
    connection: BaseBackend | None = None,
    date_format: str | None = None,
    timezone: str = "UTC",
    engine: EngineSettings | None = None,
) -> SideTable:
    """Read and check the table of customers: one row each.

    Every further column of the source is kept as an attribute, to be a segment or a covariate: a number where all of
    it are numbers (digits after a leading zero are a code, not a number), a flag where all of it is true or false, else
    text, a day among it as its ISO date.

    Parameters
    ----------
    source : path, DataFrame, ibis Table, str or SideTable
        A CSV (also gzipped) or Parquet file, a folder of Parquet files, a DataFrame, an ibis table, or, with
        `connection`, the name of a table there. A SideTable passes through, cut when `as_of` is given.
    columns : mapping, optional
        From the name of a column in the data dictionary to what the source calls it; default: their own names.
    as_of : date or str, optional
        Later rows are not seen; they are counted.
    connection : ibis backend, optional
        Where the named table lives.
    date_format : str, optional
        A strptime pattern for text dates; without it ISO dates and times are read.
    timezone : str
        The company's time zone; times that carry a zone are converted to it and then cut to the day.
    engine : EngineSettings, optional
        Limits of the embedded DuckDB; default: theirs.

    Returns
    -------
    SideTable
        `frame` is indexed by customer_id. A customer whose referrer is not in the table is kept and noted.

    Raises
    ------
    DataError
        When the source cannot be read or breaks rules (such as a customer twice, a kind that is none, or customers
        who referred each other in a circle): every rule at once, each with the table, the column, the number of rows,
        the first five, and the way to fix it.
    SettingsError
        When a parameter is wrong.

    Examples
    --------
    >>> import pandas as pd
    >>> crm = pd.DataFrame({"customer_id": ["C1", "C2"], "kind": ["Company", None], "employees": ["12", "7"]})
    >>> read_customers(crm).frame
                    kind  employees
    customer_id
    C1           company       12.0
    C2               NaN        7.0
    """
    return read_side_table(CUSTOMERS, source, columns, as_of, connection, date_format, timezone, engine)


def read_memberships(
    source: Any,
    *,
    columns: Mapping[str, str] | None = None,
    as_of: Day | None = None,
    connection: BaseBackend | None = None,
    date_format: str | None = None,
    timezone: str = "UTC",
    engine: EngineSettings | None = None,
) -> SideTable:
    """Read and check the contracts of clubs and subscriptions: one row each.

    Parameters and errors are those of `read_customers`; a contract that ended before it started is refused.

    Returns
    -------
    SideTable
        A contract that ends after `as_of` is running: its ended_on is missing, and the notes count it, as they count
        contracts that overlap with an earlier one of the same customer and plan. `fit_sbg` takes the frame.
    """
    return read_side_table(MEMBERSHIPS, source, columns, as_of, connection, date_format, timezone, engine)


def read_prospects(
    source: Any,
    *,
    columns: Mapping[str, str] | None = None,
    as_of: Day | None = None,
    connection: BaseBackend | None = None,
    date_format: str | None = None,
    timezone: str = "UTC",
    engine: EngineSettings | None = None,
) -> SideTable:
    """Read and check the history of prospects: one row for each stage that a prospect entered on a day.

    Parameters and errors are those of `read_customers`; a prospect that goes on after it was won or lost is refused.

    Returns
    -------
    SideTable
        By prospect and day, rows of one day as delivered where the source knows an order; stages without the blanks
        around them, `won` and `lost` in lower case and last on their day. The same stage once more on one day is set
        aside, the last delivered is used.
    """
    return read_side_table(PROSPECTS, source, columns, as_of, connection, date_format, timezone, engine)


def read_market(
    source: Any,
    *,
    columns: Mapping[str, str] | None = None,
    as_of: Day | None = None,
    connection: BaseBackend | None = None,
    date_format: str | None = None,
    timezone: str = "UTC",
    engine: EngineSettings | None = None,
) -> SideTable:
    """Read and check the size of the market: one row a month.

    Parameters and errors are those of `read_customers`; a month that is there twice is refused, and a table with
    neither market_customers nor market_revenue.

    Returns
    -------
    SideTable
        By month. A month that is not over at `as_of` is not seen; months missing in between are named in the notes.
    """
    return read_side_table(MARKET, source, columns, as_of, connection, date_format, timezone, engine)


def read_exits(
    source: Any,
    *,
    columns: Mapping[str, str] | None = None,
    as_of: Day | None = None,
    connection: BaseBackend | None = None,
    date_format: str | None = None,
    timezone: str = "UTC",
    engine: EngineSettings | None = None,
) -> SideTable:
    """Read and check why customers left: one row a lost customer's stated reason.

    Parameters and errors are those of `read_customers`; a customer who left twice on one day is refused.

    Returns
    -------
    SideTable
        By day. The notes count exits without a reason, and customers who had left before, on another day.
    """
    return read_side_table(EXITS, source, columns, as_of, connection, date_format, timezone, engine)
