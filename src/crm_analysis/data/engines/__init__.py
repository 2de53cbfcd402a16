"""The one place that knows which engine a table lives in: how it is reached, asked, kept and written from.

Everything else is ibis expressions that every engine runs. Where ibis's own way loses digits or memory on an engine,
that engine's own is taken here; and what an engine says when it fails is put into words that never hold a password.
"""

from crm_analysis.data.engines.asking import (
    at_least,
    batches,
    count,
    fetch,
    fetch_frame,
    rows_of,
    tries,
    unmarked_instants,
)
from crm_analysis.data.engines.dated import DatedTable
from crm_analysis.data.engines.keeping import join_small, keep, keep_in_files, own_file, slice_of
from crm_analysis.data.engines.plain_words import changed_while_read, told_plainly
from crm_analysis.data.engines.reaching import connect, embedded, named_table
from crm_analysis.data.engines.writing import write_mapped, write_parquet, write_table

__all__ = [
    "DatedTable",
    "at_least",
    "batches",
    "changed_while_read",
    "connect",
    "count",
    "embedded",
    "fetch",
    "fetch_frame",
    "join_small",
    "keep",
    "keep_in_files",
    "named_table",
    "own_file",
    "rows_of",
    "slice_of",
    "told_plainly",
    "tries",
    "unmarked_instants",
    "write_mapped",
    "write_parquet",
    "write_table",
]
