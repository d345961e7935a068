# SPDX-License-Identifier: PostgreSQL
"""Fixtures: one PostgreSQL for the session, a fresh database, a directory and
any number of daemons for each test."""

import os
import pathlib
import shutil
import sys
import tempfile

import pytest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))

from harness import daemon as daemon_module  # noqa: E402
from harness import folder as folder_module  # noqa: E402
from harness.gate import Gate  # noqa: E402
from harness.postgres import Postgres  # noqa: E402
from harness.process import CHECKOUT  # noqa: E402


def pytest_sessionstart(session):
    binary = daemon_module.binary()
    if not session.config.option.collectonly and not os.access(
            binary, os.X_OK):
        pytest.exit(f"{binary} is not there: build it, or set MIGRATIOND_BIN",
                    returncode=4)


@pytest.fixture(scope="session")
def postgres():
    cluster = Postgres()
    try:
        yield cluster.start()
    finally:
        cluster.destroy()


@pytest.fixture
def own_postgres():
    """A second cluster, for the tests that stop and start it."""
    cluster = Postgres()
    try:
        yield cluster.start()
    finally:
        cluster.destroy()


@pytest.fixture
def database(postgres):
    made = postgres.createdb()
    yield made
    postgres.dropdb(made.name)


@pytest.fixture
def workdir():
    """A directory that other users can enter too (tmp_path is ours alone)
    and whose name is short enough for a unix socket."""
    path = pathlib.Path(tempfile.mkdtemp(prefix="mgd-"))
    path.chmod(0o755)
    yield path
    shutil.rmtree(path, ignore_errors=True)


@pytest.fixture
def start_daemon(workdir):
    """start_daemon(*args, options=..., env=...) -> a running Daemon. At the
    end of the test each one must still be able to stop cleanly."""
    daemons = []

    def start(*args, wait=True, **kwargs):
        made = daemon_module.Daemon(workdir / f"d{len(daemons)}", *args,
                                    **kwargs)
        daemons.append(made)
        return made.start() if wait else made.spawn()

    yield start
    failures = []
    for made in daemons:
        try:
            made.stop()
        except AssertionError as error:
            failures.append(str(error))
    assert not failures, "\n".join(failures)


@pytest.fixture
def gate_of(start_daemon):
    """gate_of(cluster) -> a gate there. Opened before the daemons are stopped:
    each finishes the migration in hand."""
    assert start_daemon
    gates = []

    def make(cluster):
        gates.append(Gate(cluster))
        return gates[-1]

    yield make
    for made in gates:
        made.open()


@pytest.fixture
def gate(gate_of, postgres):
    return gate_of(postgres)


@pytest.fixture
def serve(database, start_daemon):
    """serve(folder, ...) -> a daemon on `folder` and the test's database."""
    def start(folder, *args, **kwargs):
        return start_daemon("--migrations", folder, "--database-url",
                            database.url, *args, **kwargs)
    return start


@pytest.fixture
def once(database):
    """once(folder, ...) -> the finished `migrationd --once`."""
    def run(folder, *args, url=None, **kwargs):
        return daemon_module.run(
            "--once", "--migrations", folder, "--database-url",
            url or database.url, *args, **kwargs)
    return run


@pytest.fixture
def drizzle(workdir):
    """drizzle([(tag, sql[, when])...]) -> the folder."""
    def build(migrations, name="drizzle"):
        return folder_module.drizzle_folder(workdir / name, migrations)
    return build


@pytest.fixture
def sequence(workdir):
    def build(files, name="sequence"):
        return folder_module.sequence_folder(workdir / name, files)
    return build


@pytest.fixture
def sample(workdir):
    """A copy of the sample application's folder."""
    return pathlib.Path(shutil.copytree(CHECKOUT / "migrations",
                                        workdir / "sample"))
