"""The ways to an engine that docs/engines.md tells: URLs, schemas, and where passwords are read."""

import traceback
from collections.abc import Iterator
from typing import Any

import duckdb as database
import ibis
import pytest

from crm_analysis.data import engines
from crm_analysis.data.sources import read_transactions

from .hostile import DAY, MONEY, TEXT, june, money, table
from .loading import PostgreSQL
from .servers import DATABASE, USER, Server

SECRET = "p%40#/@[ s3cret"
LOG = table({"customer_id": TEXT, "order_date": DAY, "amount": MONEY}, [("a", june(1), money("10"))])


def without_password(server: Server, user: str = USER) -> str:
    return f"postgresql://{user}@{server.host}:{server.port}/{DATABASE}"


def user_of(connection: Any) -> str:
    [[name]] = connection.raw_sql("SELECT current_user").fetchall()
    connection.disconnect()
    return name


# ---- PostgreSQL -------------------------------------------------------------------------------------


@pytest.fixture
def owner(postgres: Server) -> Iterator[PostgreSQL]:
    engine = PostgreSQL(ibis.connect(postgres.url))
    yield engine
    engine.close()


@pytest.fixture
def guest(owner: PostgreSQL) -> Iterator[str]:
    """A user with a password full of signs that a URL would have to write as percent codes."""
    owner.connection.raw_sql(f"CREATE ROLE visitor LOGIN PASSWORD '{SECRET}'").close()
    yield "visitor"
    owner.connection.raw_sql("DROP ROLE visitor").close()


def test_a_schema_goes_behind_the_database(owner, postgres):
    owner.load("orders", LOG)
    owner.connection.raw_sql("CREATE SCHEMA sales; ALTER TABLE orders SET SCHEMA sales").close()
    connection = engines.connect(postgres.url.replace(f"/{DATABASE}", f"/{DATABASE}/sales"))
    rows = read_transactions("orders", connection=connection).log.rows
    connection.disconnect()
    owner.connection.raw_sql("DROP SCHEMA sales CASCADE").close()
    assert rows == 1


def test_what_libpq_understands_may_follow_the_question_mark(postgres):
    connection = engines.connect(f"{postgres.url}&options=-c%20statement_timeout%3D4321")
    [[found]] = connection.raw_sql("SHOW statement_timeout").fetchall()
    connection.disconnect()
    assert found == "4321ms"


def test_a_password_is_read_from_the_environment(postgres, monkeypatch):
    monkeypatch.setenv("PGPASSWORD", postgres.password)
    assert user_of(engines.connect(without_password(postgres))) == USER


def test_a_password_is_read_from_a_file_of_its_own(postgres, monkeypatch, tmp_path):
    file = tmp_path / "pgpass"
    file.write_text(f"{postgres.host}:{postgres.port}:*:{USER}:{postgres.password}\n")
    file.chmod(0o600)
    monkeypatch.setenv("PGPASSFILE", str(file))
    assert user_of(engines.connect(without_password(postgres))) == USER


def test_a_password_apart_from_the_url_needs_no_escape(postgres, guest):
    assert user_of(ibis.connect(without_password(postgres, guest), password=SECRET)) == guest


def test_local_variables_of_a_failed_call_show_the_password_of_a_url(postgres):
    # Which is why the page warns of tools that print them.
    with pytest.raises(Exception, match="password authentication failed") as failed:
        ibis.connect(postgres.url_with("not-the-password"))
    shown = traceback.TracebackException.from_exception(failed.value, capture_locals=True)
    assert "not-the-password" in "".join(shown.format())


def test_ibis_repeats_a_url_whose_kind_it_does_not_know():
    with pytest.raises(ValueError, match="mystery://analyst:not-the-password@db/shop"):
        ibis.connect("mystery://analyst:not-the-password@db/shop")


# ---- Spark and DuckDB -------------------------------------------------------------------------------


def test_a_spark_session_that_is_handed_over_works_in_utc(spark):
    session = spark.newSession()
    session.conf.set("spark.sql.session.timeZone", "Pacific/Auckland")
    ibis.pyspark.connect(session)
    assert session.conf.get("spark.sql.session.timeZone") == "UTC"


def test_the_url_of_spark_takes_the_session_that_runs(spark):
    connection = engines.connect("pyspark://")
    assert connection._session.sparkContext.applicationId == spark.sparkContext.applicationId


def test_a_duckdb_is_reached_by_its_file(tmp_path):
    with database.connect(str(tmp_path / "shop.duckdb")) as made:
        made.execute("CREATE TABLE orders AS SELECT 'a' AS customer_id, DATE '1998-06-01' AS order_date, 10 AS amount")
    connection = engines.connect(f"duckdb://{tmp_path / 'shop.duckdb'}")
    rows = read_transactions("orders", connection=connection).log.rows
    connection.disconnect()
    assert rows == 1
