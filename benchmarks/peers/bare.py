"""The floor: purchases to customers to the counts of distinct (x, t_x, T), a bare group-by in DuckDB, nothing checked.

python benchmarks/peers/bare.py log.parquet
"""

import sys

import duckdb

duckdb.sql(
    """
    SELECT x, t_x, T, count(*) AS customers
    FROM (
        SELECT count(*) - 1 AS x, max(order_date) - min(order_date) AS t_x, DATE '2023-12-31' - min(order_date) AS T
        FROM (SELECT customer_id, order_date, sum(amount) AS amount FROM read_parquet($log) GROUP BY ALL)
        GROUP BY customer_id
    )
    GROUP BY ALL
    """,
    params={"log": sys.argv[1]},
).fetchnumpy()
