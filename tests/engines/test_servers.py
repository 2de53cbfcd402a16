"""The engines themselves: each starts, answers, keeps its password to itself, and is gone at the end."""

import socket
import traceback
from contextlib import ExitStack

import ibis
import pytest

from .conftest import VARIABLE, entered
from .loading import Engine
from .servers import USER, Absent, Server, java_program, postgres_program, running_postgres


def test_each_engine_starts_and_answers(engine: Engine):
    assert engine.fetch(ibis.literal(1).name("one")).to_pylist() == [{"one": 1}]


def test_postgres_listens_on_the_loopback_alone(postgres: Server):
    connection = ibis.connect(postgres.url)
    listening = connection.raw_sql("SHOW listen_addresses").fetchall()
    connection.disconnect()
    assert listening == [("127.0.0.1",)]


def test_a_wrong_password_is_refused_without_being_repeated(postgres: Server):
    with pytest.raises(Exception, match="password authentication failed") as refused:
        ibis.connect(postgres.url_with("not-the-password"))
    # The line of this test is quoted in a traceback, so only what the message says is looked at.
    told = "".join(traceback.format_exception_only(refused.value))
    assert "not-the-password" not in told
    assert f'user "{USER}"' in told


def test_the_password_is_not_shown_with_the_server(postgres: Server):
    assert postgres.password not in repr(postgres)


def test_postgres_is_gone_with_its_data_when_a_test_fails(postgres: Server):
    with pytest.raises(ZeroDivisionError), running_postgres() as server:
        assert server.folder.is_dir()
        raise ZeroDivisionError
    assert not server.folder.exists()
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection((server.host, server.port), timeout=5)


def test_spark_shows_no_page_and_keeps_to_two_threads(spark):
    assert spark.sparkContext.uiWebUrl is None
    assert spark.sparkContext.master == "local[2]"


# ---- what is absent ---------------------------------------------------------------------------------


@pytest.fixture
def bare_machine(monkeypatch, tmp_path):
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.delenv("JAVA_HOME", raising=False)
    monkeypatch.setattr("glob.glob", lambda pattern: [])


def test_an_absent_postgres_is_named_with_its_package(bare_machine):
    with pytest.raises(Absent, match="apt-get install postgresql"):
        postgres_program("initdb")


def test_an_absent_java_is_named_with_its_package(bare_machine):
    with pytest.raises(Absent, match="apt-get install default-jre-headless"):
        java_program()


def never_there():
    raise Absent("no such engine")


def test_an_absent_engine_skips_its_tests(monkeypatch):
    monkeypatch.delenv(VARIABLE, raising=False)
    with pytest.raises(pytest.skip.Exception, match="no such engine"):
        entered(ExitStack(), never_there)


def test_an_absent_engine_fails_its_tests_where_it_must_run(monkeypatch):
    monkeypatch.setenv(VARIABLE, "required")
    with pytest.raises(pytest.fail.Exception, match="no such engine"):
        entered(ExitStack(), never_there)
