"""The engines behind one face: load an Arrow table with exact types, and fetch what an expression gives."""

from abc import ABC, abstractmethod
from dataclasses import dataclass, field
from typing import Any

import ibis
import ibis.expr.types as ir
import pyarrow as pa

# A column of text in an Arrow table that is to have a type of the engine which Arrow does not know says so in its
# metadata: pa.field("customer_id", pa.string(), metadata={KIND: "uuid"}).
KIND = "kind"

Types = list[tuple[Any, str]]


def kind_of(column: pa.Field) -> str | None:
    return (column.metadata or {}).get(KIND.encode(), b"").decode() or None


@dataclass
class Engine(ABC):
    """An engine with a connection of its own; what was loaded into it goes when it is closed."""

    connection: Any
    loaded: list[str] = field(default_factory=list)

    name: str = field(init=False)
    # Kinds of id that Arrow cannot say, in this engine's words.
    kinds: dict[str, str] = field(init=False)

    def load(self, name: str, content: pa.Table) -> ir.Table:
        """Make a lasting table, as a company would have it, and return it as ibis sees it."""
        self._create(name, content)
        self.loaded.append(name)
        return self.connection.table(name)

    def fetch(self, expression: ir.Expr) -> pa.Table:
        return self.connection.to_pyarrow(expression.as_table())

    def tables(self) -> set[str]:
        """Names of everything that stands in the engine, temporary tables and views included."""
        return set(self.connection.list_tables())

    def unload(self) -> None:
        """Drop what was loaded."""
        while self.loaded:
            self.connection.drop_table(self.loaded.pop(), force=True)

    def close(self) -> None:
        self.unload()
        self.connection.disconnect()

    @abstractmethod
    def _create(self, name: str, content: pa.Table) -> None: ...

    def _type(self, column: pa.Field, types: Types) -> str:
        kind = kind_of(column)
        if kind is not None:
            return self.kinds[kind]
        if pa.types.is_decimal(column.type):
            return f"DECIMAL({column.type.precision}, {column.type.scale})"
        if pa.types.is_timestamp(column.type) and column.type.tz is not None:
            return next(written for known, written in types if known == "instant")
        return next(written for known, written in types if callable(known) and known(column.type))

    def _columns(self, content: pa.Table, types: Types) -> str:
        return ", ".join(f'"{column.name}" {self._type(column, types)}' for column in content.schema)


class DuckDB(Engine):
    name = "duckdb"
    kinds = {"uuid": "UUID", "integer128": "HUGEINT"}  # noqa: RUF012

    def _create(self, name: str, content: pa.Table) -> None:
        table = ibis.memtable(content)
        cast = {column.name: self.kinds[kind] for column in content.schema if (kind := kind_of(column))}
        self.connection.create_table(name, table)
        for column, written in cast.items():
            self.connection.raw_sql(f'ALTER TABLE "{name}" ALTER "{column}" TYPE {written}')

    def tables(self) -> set[str]:
        # Not by ibis: its list_tables calls what DuckDB has deprecated, and warnings are errors here.
        return {name for (name,) in self.connection.raw_sql("SELECT table_name FROM duckdb_tables()").fetchall()}


class PostgreSQL(Engine):
    name = "postgres"
    kinds = {"uuid": "uuid", "integer128": "numeric(39, 0)"}  # noqa: RUF012
    types: Types = [  # noqa: RUF012
        ("instant", "timestamptz"),
        (pa.types.is_timestamp, "timestamp"),
        (pa.types.is_date, "date"),
        (pa.types.is_int64, "bigint"),
        (pa.types.is_int32, "integer"),
        (pa.types.is_float64, "double precision"),
        (pa.types.is_boolean, "boolean"),
        (pa.types.is_binary, "bytea"),
        (pa.types.is_string, "text"),
        (pa.types.is_large_string, "text"),
    ]

    def _create(self, name: str, content: pa.Table) -> None:
        self.connection.raw_sql(f'CREATE TABLE "{name}" ({self._columns(content, self.types)})').close()
        with (
            self.connection.con.cursor() as cursor,
            cursor.copy(f'COPY "{name}" FROM STDIN') as copy,
        ):
            for row in content.to_pylist():
                copy.write_row(list(row.values()))


class Spark(Engine):
    name = "spark"
    kinds = {"uuid": "STRING", "integer128": "DECIMAL(38, 0)"}  # noqa: RUF012
    types: Types = [  # noqa: RUF012
        ("instant", "TIMESTAMP"),
        (pa.types.is_timestamp, "TIMESTAMP_NTZ"),
        (pa.types.is_date, "DATE"),
        (pa.types.is_int64, "BIGINT"),
        (pa.types.is_int32, "INT"),
        (pa.types.is_float64, "DOUBLE"),
        (pa.types.is_boolean, "BOOLEAN"),
        (pa.types.is_binary, "BINARY"),
        (pa.types.is_string, "STRING"),
        (pa.types.is_large_string, "STRING"),
    ]

    @property
    def session(self) -> Any:
        return self.connection._session

    def fetch(self, expression: ir.Expr) -> pa.Table:
        # Not by ibis: it goes through pandas without Arrow, where whole numbers beside a missing one become floats.
        self.connection._run_pre_execute_hooks(expression)
        return self.session.sql(self.connection.compile(expression.as_table())).toArrow()

    def close(self) -> None:
        self.unload()
        # The session is everybody's: disconnecting would stop it.
        for view in self.session.catalog.listTables():
            if view.isTemporary:
                self.session.catalog.dropTempView(view.name)

    def _create(self, name: str, content: pa.Table) -> None:
        columns = self._columns(content, self.types).replace('"', "`")
        self.session.sql(f"CREATE TABLE `{name}` ({columns}) USING parquet")
        self.session.createDataFrame(content).createOrReplaceTempView("arriving")
        chosen = ", ".join(f"CAST(`{column.name}` AS {self._type(column, self.types)})" for column in content.schema)
        self.session.sql(f"INSERT INTO `{name}` SELECT {chosen} FROM arriving")
        self.session.catalog.dropTempView("arriving")
