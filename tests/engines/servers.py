"""A PostgreSQL and a Spark of our own: started for the tests, on this machine's loopback alone, and gone afterwards."""

import glob
import os
import pwd
import secrets
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

STARTS_WITHIN = 60  # seconds
USER = "crm"
DATABASE = "postgres"


class Absent(Exception):
    """The engine, or the package that speaks to it, is not on this machine."""


# ---- PostgreSQL -------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Server:
    """A running PostgreSQL: where it listens, who may in, and the folder that holds all of it."""

    host: str
    port: int
    password: str = field(repr=False)
    folder: Path

    @property
    def url(self) -> str:
        return self.url_with(self.password)

    def url_with(self, password: str) -> str:
        return f"postgresql://{USER}:{password}@{self.host}:{self.port}/{DATABASE}?connect_timeout=10"


def postgres_program(name: str) -> str:
    """Debian keeps the server's programs off the PATH, one folder a version; the newest is taken."""
    found = sorted(glob.glob(f"/usr/lib/postgresql/*/bin/{name}"), key=lambda path: int(path.split("/")[-3]))
    program = found[-1] if found else shutil.which(name)
    if program is None:
        raise Absent(f"PostgreSQL's program {name} is not on this machine (Debian: apt-get install postgresql)")
    return program


@contextmanager
def running_postgres() -> Iterator[Server]:
    """Start a PostgreSQL that asks for a password, and delete it with all its data at the end."""
    try:
        import psycopg  # noqa: F401
    except ImportError:
        raise Absent("psycopg is not installed (make engines)") from None
    initdb, postgres = postgres_program("initdb"), postgres_program("postgres")
    # Not pytest's tmp_path: PostgreSQL refuses to run as root, and another user cannot reach into root's folders.
    folder = Path(tempfile.mkdtemp(prefix="crm-postgres-"))
    try:
        password = secrets.token_hex(12)
        written = folder / "password"
        written.write_text(password)
        someone = _unprivileged(folder, written)
        # A human order of text (a, b, B, é), as most servers have it: what relies on the order of code points shows.
        locale = ["--encoding=UTF8", "--locale=C.UTF-8", "--locale-provider=icu", "--icu-locale=en-US"]
        made = subprocess.run(
            [initdb, "-D", folder / "data", "-U", USER, f"--pwfile={written}", "--auth=scram-sha-256", *locale],
            **someone,
            cwd=folder,
            capture_output=True,
            text=True,
            check=False,
        )
        if made.returncode != 0:
            raise RuntimeError(f"initdb failed:\n{made.stdout}{made.stderr}")
        written.unlink()
        with _serving(postgres, folder, password, someone) as server:
            yield server
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _unprivileged(*paths: Path) -> dict[str, Any]:
    """Whom to run PostgreSQL as when we are root; the paths become theirs."""
    if os.geteuid() != 0:
        return {}
    known = {entry.pw_name: entry for entry in pwd.getpwall()}
    someone = known.get("postgres") or known["nobody"]
    for path in paths:
        os.chown(path, someone.pw_uid, someone.pw_gid)
    return {"user": someone.pw_uid, "group": someone.pw_gid, "extra_groups": []}


@contextmanager
def _serving(program: str, folder: Path, password: str, someone: dict[str, Any]) -> Iterator[Server]:
    server = Server("127.0.0.1", _free_port(), password, folder)
    settings = {
        "listen_addresses": server.host,
        "port": server.port,
        "unix_socket_directories": "",
        # Nothing here has to survive a power cut.
        "fsync": "off",
        "synchronous_commit": "off",
        "full_page_writes": "off",
        # Not UTC, so that a day which depends on the server's own zone is found out.
        "timezone": "Pacific/Auckland",
    }
    command = [program, "-D", folder / "data", *(f"--{name}={value}" for name, value in settings.items())]
    # A test run that is killed takes the server with it.
    if shutil.which("setpriv"):
        command = ["setpriv", "--pdeathsig", "INT", *command]
    with (folder / "log").open("w") as log:
        process = subprocess.Popen(command, **someone, cwd=folder, stdout=log, stderr=log)
        try:
            _wait_for(server, process)
            yield server
        finally:
            _stop(process)


def _wait_for(server: Server, process: subprocess.Popen[bytes]) -> None:
    import psycopg

    given_up = time.monotonic() + STARTS_WITHIN
    while True:
        try:
            psycopg.connect(server.url).close()
            return
        except psycopg.OperationalError as error:
            if process.poll() is not None or time.monotonic() > given_up:
                log = (server.folder / "log").read_text()
                raise RuntimeError(f"PostgreSQL did not start: {error}\n{log}") from None
            time.sleep(0.1)


def _stop(process: subprocess.Popen[bytes]) -> None:
    # INT is PostgreSQL's fast shutdown, QUIT its immediate one.
    for kind in (signal.SIGINT, signal.SIGQUIT, signal.SIGKILL):
        process.send_signal(kind)
        try:
            process.wait(timeout=20)
            return
        except subprocess.TimeoutExpired:
            continue


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


# ---- Spark ------------------------------------------------------------------------------------------


def java_program() -> str:
    home = os.environ.get("JAVA_HOME")
    program = shutil.which("java", path=f"{home}/bin") if home else shutil.which("java")
    if program is None:
        raise Absent("Java is not on this machine (Debian: apt-get install default-jre-headless)")
    return program


@contextmanager
def running_spark() -> Iterator[Any]:
    """Start a local Spark of two threads; at the end its JVM has gone, and its warehouse with it."""
    try:
        from pyspark import SparkContext
        from pyspark.sql import SparkSession
    except ImportError:
        raise Absent("PySpark is not installed (make engines)") from None
    java_program()
    folder = tempfile.mkdtemp(prefix="crm-spark-")
    # Spark looks up the machine's name for an address, and a machine of CI may have none.
    os.environ.setdefault("SPARK_LOCAL_IP", "127.0.0.1")
    # Spark's workers would take the first python3 of the PATH.
    os.environ.setdefault("PYSPARK_PYTHON", sys.executable)
    settings = {
        "spark.driver.bindAddress": "127.0.0.1",
        "spark.driver.host": "127.0.0.1",
        # Hundreds of short queries: a compiler that optimises long-running code costs more than it brings.
        "spark.driver.extraJavaOptions": "-XX:TieredStopAtLevel=1 -XX:+UseSerialGC",
        "spark.driver.memory": "1g",
        "spark.local.dir": f"{folder}/local",
        "spark.log.level": "ERROR",
        "spark.sql.shuffle.partitions": "2",
        "spark.sql.warehouse.dir": f"{folder}/warehouse",
        "spark.ui.enabled": "false",
        "spark.ui.showConsoleProgress": "false",
    }
    builder = SparkSession.builder.master("local[2]").appName("crm_analysis tests")
    for name, value in settings.items():
        builder = builder.config(name, value)
    try:
        session = builder.getOrCreate()
        try:
            yield session
        finally:
            session.stop()
            _end_java(SparkContext)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _end_java(context: Any) -> None:
    # Stopping a session leaves the JVM running until Python ends. It also ends when nobody holds its standard input.
    gateway = context._gateway
    gateway.shutdown()
    gateway.proc.stdin.close()
    gateway.proc.wait(timeout=60)
    context._gateway = context._jvm = None
