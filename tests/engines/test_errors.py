"""What goes wrong between here and an engine: told within seconds, with a way to fix it, and without secrets."""

import socket
import sqlite3
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from datetime import date
from pathlib import Path
from typing import Any

import ibis
import pyarrow as pa
import pytest

from crm_analysis import cli
from crm_analysis.data import engines
from crm_analysis.data.sources import read_transactions
from crm_analysis.errors import CrmAnalysisError, DataError, SettingsError
from crm_analysis.settings import DoorRules, EngineSettings

from .hostile import DAY, MONEY, TEXT, june, money, table
from .loading import Engine, PostgreSQL
from .questions import IN_PLACE
from .servers import DATABASE, USER, Server

SECRET = "t0p-s3cret"
SECONDS = 15
LOG = table(
    {"customer_id": TEXT, "order_date": DAY, "amount": MONEY},
    [("a", june(1), money("10")), ("b", june(2), money("7")), ("a", june(9), money("3"))],
)


@contextmanager
def told(*words: str, kind: type[CrmAnalysisError] = DataError) -> Iterator[None]:
    """An error of ours within seconds, with these words and a way to fix it, in two lines, without the secret."""
    start = time.monotonic()
    with pytest.raises(kind) as raised:
        yield
    message = str(raised.value)
    assert time.monotonic() - start < SECONDS
    assert [word for word in words if word not in message] == [], message
    assert SECRET not in message
    assert raised.value.__cause__ is None
    assert raised.value.__suppress_context__ or raised.value.__context__ is None
    assert len(message.splitlines()) <= 2, message


def closed_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
    return port


@pytest.fixture
def silent() -> Iterator[int]:
    """A port that takes connections and never says a word."""
    with socket.socket() as listening:
        listening.bind(("127.0.0.1", 0))
        listening.listen()
        yield listening.getsockname()[1]


def postgres_url(server: Server, *, password: str = SECRET, database: str = DATABASE) -> str:
    return f"postgresql://{USER}:{password}@{server.host}:{server.port}/{database}"


# ---- a URL that leads nowhere -----------------------------------------------------------------------


@pytest.mark.usefixtures("psycopg")
def test_a_postgres_that_does_not_run_is_told():
    port = closed_port()
    with told(f"postgresql://127.0.0.1:{port}/shop: cannot be reached", "To fix: check host, port"):
        engines.connect(f"postgresql://analyst:{SECRET}@127.0.0.1:{port}/shop")


@pytest.mark.usefixtures("psycopg")
def test_a_host_that_nobody_knows_is_told():
    with told("postgresql://db.invalid/shop: cannot be reached"):
        engines.connect(f"postgresql://analyst:{SECRET}@db.invalid/shop")


@pytest.mark.usefixtures("psycopg")
def test_a_host_that_never_answers_is_given_up(silent):
    with told("cannot be reached"):
        engines.connect(f"postgresql://analyst:{SECRET}@127.0.0.1:{silent}/shop?connect_timeout=2")


@pytest.mark.usefixtures("psycopg")
def test_patience_with_a_silent_host_is_not_endless(silent, monkeypatch):
    monkeypatch.setattr("crm_analysis.data.engines.reaching.PATIENCE", 2)
    with told("cannot be reached"):
        engines.connect(f"postgresql://analyst:{SECRET}@127.0.0.1:{silent}/shop")


@pytest.mark.parametrize("scheme", ["spark", "sc"])
def test_a_cluster_that_does_not_run_is_told_before_spark_is_started(scheme):
    pytest.importorskip("pyspark")
    port = closed_port()
    with told(f"{scheme}://127.0.0.1:{port}", "nothing answers there", "To fix: check host and port"):
        engines.connect(f"{scheme}://127.0.0.1:{port}/;token={SECRET}")


def test_a_duckdb_that_is_not_there_is_told_and_not_made(tmp_path):
    with told("there is no such database"):
        engines.connect(f"duckdb://{tmp_path}/shop.duckdb")
    assert list(tmp_path.iterdir()) == []


def test_a_file_that_is_no_duckdb_is_told(tmp_path):
    (tmp_path / "shop.duckdb").write_text("no database " * 1000)
    with told("shop.duckdb: cannot be reached or refuses access", "not a valid DuckDB database"):
        engines.connect(f"duckdb://{tmp_path}/shop.duckdb")


@pytest.mark.parametrize("url", [f"mystery://analyst:{SECRET}@db/shop", f"analyst:{SECRET}@db/shop", "orders.parquet"])
def test_a_url_of_no_engine_is_told_without_its_password(url):
    with told("no engine has such a URL", kind=SettingsError):
        engines.connect(url)


@pytest.mark.parametrize("password", ["t0p-s3cret#1", "t0p-s3cret[1", "t0p-s3cret/1"])
def test_a_password_that_breaks_the_url_is_told_without_a_part_of_it(password):
    with told("cannot be read", "percent codes", kind=SettingsError):
        engines.connect(f"postgresql://analyst:{password}@127.0.0.1:1/shop")


def test_an_engine_without_its_package_is_told_with_the_package():
    with told("snowflake://account/shop", "install ibis-framework[snowflake]", kind=SettingsError):
        engines.connect(f"snowflake://analyst:{SECRET}@account/shop")


# ---- PostgreSQL refuses -----------------------------------------------------------------------------


def test_a_wrong_password_is_told_and_not_repeated(postgres):
    with told("refuses access", f'password authentication failed for user "{USER}"'):
        engines.connect(postgres_url(postgres))


def test_a_missing_database_is_told(postgres):
    with told('database "shops" does not exist'):
        engines.connect(postgres_url(postgres, password=postgres.password, database="shops"))


def test_an_option_that_postgres_does_not_know_is_told_without_what_follows_the_question_mark(postgres):
    with told("cannot be reached or refuses access"):
        engines.connect(f"{postgres_url(postgres, password=postgres.password)}?passphrase={SECRET}")


@pytest.fixture
def guest(postgres: Server) -> Iterator[Any]:
    """The connection of a user who may look into the catalogue and read nothing."""
    owner = PostgreSQL(ibis.connect(postgres.url))
    owner.load("orders", LOG)
    owner.connection.raw_sql(f"CREATE ROLE guest LOGIN PASSWORD '{SECRET}'").close()
    connection = engines.connect(f"postgresql://guest:{SECRET}@{postgres.host}:{postgres.port}/{DATABASE}")
    yield connection
    connection.disconnect()
    owner.connection.raw_sql("DROP OWNED BY guest; DROP ROLE guest").close()
    owner.close()


def test_a_table_that_may_not_be_read_is_told(guest):
    with told("table orders", "permission denied for table orders", "To fix: let this user read the table"):
        read_transactions("orders", connection=guest)


def test_a_table_that_may_not_be_made_is_told(postgres, guest):
    with told("table copied", "permission denied for schema public"):
        engines.write_table(guest.sql("SELECT 1 AS one"), "copied")


def test_a_user_who_may_read_alone_can_value_a_log(postgres, guest):
    owner = PostgreSQL(ibis.connect(postgres.url))
    owner.connection.raw_sql("GRANT SELECT ON orders TO guest").close()
    log = read_transactions("orders", connection=guest, engine=IN_PLACE)
    kept = engines.keep(log.table)
    assert engines.count(kept) == 3
    owner.close()


# ---- what is not there ------------------------------------------------------------------------------


@pytest.fixture
def orders(place: Engine) -> Iterator[Any]:
    yield place.load("orders", LOG)
    place.unload()


@pytest.mark.parametrize("name", ["purchases", "archive.orders"])
def test_a_missing_table_or_schema_is_told(place, name):
    with told(f"table {name}: the connection has no such table", "To fix: check its name and schema"):
        read_transactions(name, connection=place.connection)


def test_a_table_is_found_in_its_schema(place, orders):
    schema = {"duckdb": "main", "postgres": "public", "spark": "default"}[place.name]
    assert read_transactions(f"{schema}.orders", connection=place.connection).log.rows == 3


def test_a_missing_column_is_told_with_those_there_are(place, orders):
    with told("column 'net_sales'", "there is no such column", "'customer_id', 'order_date' and 'amount'"):
        read_transactions(orders, columns={"amount": "net_sales"}, engine=IN_PLACE)


def test_a_table_without_rows_is_told(place):
    empty = place.load("empty", LOG.slice(0, 0))
    with told("table empty: the table has no rows"):
        read_transactions(empty, engine=IN_PLACE)
    place.unload()


def test_a_date_pattern_that_only_duckdb_reads_is_told_elsewhere(place):
    if place.name == "duckdb":
        pytest.skip("it is DuckDB that reads it")
    log = place.load("patterns", pa.table({"customer_id": ["a"], "order_date": ["181 1998"], "amount": [1.0]}))
    with told("%j can be read in the embedded DuckDB only", kind=SettingsError):
        read_transactions(log, rules=DoorRules(date_format="%j %Y"), engine=IN_PLACE)
    place.unload()


@pytest.fixture
def sqlite(tmp_path) -> Any:
    """An engine that ibis knows and that lacks much."""
    path = tmp_path / "shop.db"
    with closing(sqlite3.connect(path)) as made:
        made.execute("CREATE TABLE orders (customer_id TEXT, order_date TEXT, amount REAL)")
        made.execute("INSERT INTO orders VALUES ('a', '1998-06-30', 9.5)")
        made.commit()
    connection = engines.connect(f"sqlite://{path}")
    yield connection
    connection.disconnect()


def test_an_engine_without_a_needed_function_is_told(sqlite):
    with told("table orders: this engine lacks a function", "IsNan", "engine.copy_rows", kind=SettingsError):
        read_transactions("orders", connection=sqlite, engine=IN_PLACE)


def test_an_engine_that_lacks_functions_is_read_by_a_copy(sqlite):
    assert read_transactions("orders", connection=sqlite).reconciliation["money"].iloc[0] == money("9.5")


# ---- what changes or breaks while it is read --------------------------------------------------------


def add_a_row(place: Engine) -> None:
    said = "INSERT INTO orders VALUES ('c', DATE '1998-06-03', 4)"
    place.session.sql(said) if place.name == "spark" else place.connection.raw_sql(said)


def after(function: Any, then: Any) -> Any:
    """The function, with something that happens when it is through for the first time."""
    happened = []

    def wrapped(*args: Any, **kwargs: Any) -> Any:
        result = function(*args, **kwargs)
        if not happened:
            happened.append(True)
            then()
        return result

    return wrapped


def test_a_row_that_comes_while_a_table_is_checked_is_told(place, orders, monkeypatch):
    # Between the look through all rows and the account of what became of each.
    monkeypatch.setattr("crm_analysis.data.sources._look_through", after(_look_through(), lambda: add_a_row(place)))
    with told("the table changed while it was read", "3 rows and 20.0000 at first, 4 rows and 24.0000 later"):
        read_transactions(orders, engine=IN_PLACE)


def _look_through() -> Any:
    from crm_analysis.data import sources

    return sources._look_through


def test_a_row_that_comes_while_a_table_is_copied_is_told(place, orders, monkeypatch):
    monkeypatch.setattr(engines, "count", after(engines.count, lambda: add_a_row(place)))
    with told("the table changed while it was read", "3 rows at first, 4 later"):
        read_transactions(orders)


def test_a_row_that_comes_before_a_log_is_cut_again_is_told(place, orders):
    log = read_transactions(orders, engine=IN_PLACE)
    add_a_row(place)
    with told("the table changed while it was read"):
        log.until(date(1998, 6, 5))


def test_a_copied_log_does_not_care_what_becomes_of_its_table(place, orders):
    log = read_transactions(orders)
    place.unload()
    assert log.until(date(1998, 6, 5)).log.rows == 3


@pytest.fixture
def doomed(postgres: Server) -> Iterator[tuple[Any, Any]]:
    """A connection in the middle of a long read, and a way to end it from the outside."""
    owner, reader = ibis.connect(postgres.url), engines.connect(postgres.url)
    [[process]] = reader.raw_sql("SELECT pg_backend_pid()").fetchall()

    def end() -> None:
        owner.raw_sql(f"SELECT pg_terminate_backend({process})").close()
        time.sleep(0.5)

    yield reader, end
    owner.disconnect()


def test_a_server_that_goes_in_the_middle_of_reading_is_told(doomed):
    reader, end = doomed
    long = reader.sql("SELECT n, repeat('x', 100) AS text FROM generate_series(1, 500000) AS rows(n)")
    batches = engines.batches(long, rows=1000)
    next(batches)
    end()
    with told("the engine reports", "To fix: check that the engine runs"):
        list(batches)


def test_a_server_that_has_gone_between_two_questions_is_told(doomed):
    reader, end = doomed
    orders = reader.sql("SELECT 'a' AS customer_id, DATE '1998-06-30' AS order_date, 1.5 AS amount")
    log = read_transactions(orders, engine=IN_PLACE)
    end()
    with told("the engine reports", "To fix: check that the engine runs"):
        log.until(date(1998, 6, 5))


def test_what_a_failing_query_of_spark_says_stays_out_of_the_log(spark, capfd):
    connection = ibis.pyspark.connect(spark.newSession())
    broken = connection.sql("SELECT CAST('a name of a customer' AS INT) AS number")
    with told("the engine reports", "CAST_INVALID_INPUT"):
        engines.fetch(broken)
    assert "a name of a customer" not in "".join(capfd.readouterr())


# ---- from crm.toml ----------------------------------------------------------------------------------


@pytest.fixture
def validate(tmp_path, monkeypatch, capsys):
    """Run `crm-analysis validate` on a connection and a table; its exit code and what it says."""

    def run(connection: str, name: str = "orders") -> tuple[int, str]:
        file: Path = tmp_path / "crm.toml"
        file.write_text(
            f'[sources.transactions]\nconnection = "{connection}"\ntable = "{name}"\n[engine]\ncopy_rows = 0\n'
        )
        monkeypatch.setattr("sys.argv", ["crm-analysis", "validate", "--settings", str(file)])
        with pytest.raises(SystemExit) as left:
            cli.main()
        return left.value.code, capsys.readouterr().err

    return run


def test_the_command_line_accounts_for_a_table_in_place(postgres, validate):
    owner = PostgreSQL(ibis.connect(postgres.url))
    owner.load("orders", LOG)
    code, said = validate(postgres.url)
    owner.close()
    assert (code, "20.00" in said, postgres.password in said) == (0, True, False), said


def test_the_command_line_tells_a_wrong_password_without_it(postgres, validate):
    code, said = validate(postgres_url(postgres))
    assert (code, SECRET in said, "Traceback" in said) == (3, False, False), said
    assert "password authentication failed" in said


def test_the_command_line_tells_a_missing_table(postgres, validate):
    code, said = validate(postgres.url, "purchases")
    assert (code, "Traceback" in said, postgres.password in said) == (3, False, False), said
    assert "table purchases: the connection has no such table" in said


def test_the_command_line_tells_an_engine_that_is_none(validate):
    code, said = validate(f"mystery://analyst:{SECRET}@db/shop")
    assert (code, SECRET in said, "Traceback" in said) == (2, False, False), said
    assert "no engine has such a URL" in said


def test_a_large_enough_limit_copies_and_a_small_one_does_not(place, orders):
    copied = [read_transactions(orders, engine=EngineSettings(copy_rows=rows)).is_copied for rows in (2, 3)]
    assert copied == [False, True]
