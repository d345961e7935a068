# SPDX-License-Identifier: PostgreSQL
"""Configurations that must not start: each refused with exit code 4 and a
message that names the place, the option and the value; no secret in it."""

from typing import NamedTuple

import pytest

from harness.daemon import run
from harness.process import free_port

CONFIGURATION, USAGE = 4, 64
SECRET = "hunter2-do-not-print"


class Bad(NamedTuple):
    name: str
    text: str = ""          # of the configuration file; "" : none
    args: tuple = ()
    env: dict = {}
    words: tuple = ()       # all must be in the message
    code: int = CONFIGURATION


def lines(*rows):
    return "".join(row + "\n" for row in rows)


BAD = [
    # the file
    Bad("unknown option in the file", lines("", "nosuch = 1"),
        words=("migrationd.conf:2", "nosuch")),
    Bad("mistyped option in the file", lines("migration = '/x'"),
        words=("migrationd.conf:1", "migration", "migrations")),
    Bad("syntax error in the file", lines("layout = drizzle", "= = ="),
        words=("migrationd.conf:2",)),
    Bad("unclosed string", lines("layout = 'drizzle"),
        words=("migrationd.conf",)),
    Bad("bad choice in the file", lines("#", "#", "layout = rails"),
        words=("migrationd.conf:3", "layout", "rails", "sequence")),
    Bad("bad bool in the file", lines("apply_on_start = perhaps"),
        words=("migrationd.conf:1", "apply_on_start", "perhaps")),
    Bad("bad duration in the file", lines("lock_wait = '10 parsecs'"),
        words=("migrationd.conf:1", "lock_wait", "10 parsecs")),
    Bad("number without a unit", lines("lock_wait = '10'"),
        words=("migrationd.conf:1", "lock_wait", "10")),
    Bad("negative duration", lines("lock_wait = '-5s'"),
        words=("migrationd.conf:1", "lock_wait", "-5s")),
    Bad("duration beyond the range", lines("settle = '10000h'"),
        words=("migrationd.conf:1", "settle")),
    Bad("overflowing duration", lines("lock_wait = '99999999999999999999s'"),
        words=("migrationd.conf:1", "lock_wait")),
    Bad("an action in the file", lines("once = true"),
        words=("migrationd.conf:1", "once")),
    Bad("a listener in the file that is none", lines("listen = {'nowhere'}"),
        words=("migrationd.conf:1", "listen", "nowhere")),
    Bad("a very long value", lines("migrations = '" + "x" * 20_000 + "'"),
        words=("migrationd.conf:1", "migrations")),
    Bad("a binary file", "\x01\x02\x7f\x00layout", words=("migrationd.conf",)),
    # the environment
    Bad("bad choice in the environment", env={"MIGRATIOND_TRACKING": "rails"},
        words=("MIGRATIOND_TRACKING", "rails", "schema_migrations")),
    Bad("bad duration in the environment",
        env={"MIGRATIOND_LOCK_WAIT": "soon"},
        words=("MIGRATIOND_LOCK_WAIT", "soon")),
    Bad("bad bool in the environment",
        env={"MIGRATIOND_APPLY_ON_CHANGE": "maybe"},
        words=("MIGRATIOND_APPLY_ON_CHANGE", "maybe")),
    Bad("broken url in the environment",
        env={"DATABASE_URL": f"postgresql://u:{SECRET}@h:notaport/db"},
        words=("DATABASE_URL",)),
    Bad("broken url as a flag",
        args=("--database-url", f"postgresql://u:{SECRET}@[::1/db"),
        words=("database-url",)),
    Bad("unknown key in the url",
        args=("--database-url", f"host=x nosuchkey=1 password={SECRET}"),
        words=("database-url",)),
    Bad("a name in latin-1", args=("--instance", "pod\udce9"),
        words=("instance", "byte 4 is not UTF-8")),
    Bad("a table in latin-1", env={"MIGRATIOND_TRACKING_TABLE": "t\udce9"},
        words=("MIGRATIOND_TRACKING_TABLE", "byte 2 is not UTF-8")),
    Bad("a schema in latin-1", args=("--tracking-schema", "\udce9"),
        words=("tracking-schema", "byte 1 is not UTF-8")),
    # flags
    Bad("bad choice as a flag", args=("--out-of-order", "sometimes"),
        words=("out-of-order", "sometimes", "refuse")),
    Bad("bad log level", args=("--log-level", "loud"),
        words=("log-level", "loud", "debug")),
    Bad("bad log format", args=("--log-format", "xml"),
        words=("log-format", "xml", "json")),
    Bad("listener without a port", args=("--listen", "127.0.0.1"),
        words=("listen", "127.0.0.1")),
    Bad("listener with a word as a port", args=("--listen", "127.0.0.1:http!"),
        words=("listen", "http!")),
    Bad("port beyond 65535", args=("--listen", "127.0.0.1:70000"),
        words=("listen", "70000")),
    Bad("unix socket with a relative path", args=("--listen", "unix:x.sock"),
        words=("listen", "x.sock")),
    Bad("unix socket with a long path",
        args=("--listen", "unix:/" + "x" * 200), words=("listen",)),
    Bad("others could write", args=("--listen", "0.0.0.0:8432"),
        words=("0.0.0.0:8432", "token")),
    Bad("others could write by ipv6", args=("--listen", "[::]:8432"),
        words=("[::]:8432", "token")),
    Bad("configuration file missing", args=("--config", "/nonexistent/x.conf"),
        words=("/nonexistent/x.conf",)),
    Bad("configuration file is a folder", args=("--config", "/etc"),
        words=("/etc",)),
    Bad("token file missing", args=("--token-file", "/nonexistent/token"),
        words=("/nonexistent/token",)),
    Bad("password file missing",
        args=("--password-file", "/nonexistent/password"),
        words=("/nonexistent/password",)),
    Bad("token file is a folder", args=("--token-file", "/etc"),
        words=("/etc",)),
    # usage
    Bad("unknown flag", args=("--nosuch",), words=("--nosuch", "--help"),
        code=USAGE),
    Bad("mistyped flag", args=("--migration", "x"), words=("--migrations",),
        code=USAGE),
    Bad("flag without its value", args=("--layout",), words=("--layout",),
        code=USAGE),
    Bad("stray word", args=("apply",), words=("apply",), code=USAGE),
]


def test_the_table_is_long_enough():
    assert len(BAD) >= 20
    assert len({case.name for case in BAD}) == len(BAD)


@pytest.mark.parametrize("case", BAD, ids=lambda c: c.name.replace(" ", "-"))
def test_bad_configuration(case, workdir):
    args = ["--check-config", *case.args]
    if case.text:
        path = workdir / "migrationd.conf"
        path.write_bytes(case.text.encode("latin-1"))
        args += ["--config", path]
    done = run(*args, env=case.env, cwd=workdir, timeout=20)
    assert done.returncode == case.code, done
    for word in case.words:
        assert word in done.stderr, done.stderr
    assert SECRET not in done.stdout + done.stderr
    assert len(done.stderr) < 4000


@pytest.mark.parametrize("content", ["", "\n", "short", "with space in it x" * 3,
                                     "x" * 10_000, "tab\tx" * 10])
def test_bad_token_file(workdir, content):
    path = workdir / "token"
    path.write_text(content)
    path.chmod(0o600)
    done = run("--check-config", "--token-file", path, timeout=20)
    if content.strip() == "short":
        assert done.returncode in (0, CONFIGURATION)
    else:
        assert done.returncode == CONFIGURATION, done
        assert str(path) in done.stderr
    assert not content.strip() or content.strip()[:60] not in done.stderr


def test_check_config_of_a_good_one(workdir):
    (workdir / "c.conf").write_text("layout = 'drizzle'\nlock_wait = '10s'\n")
    done = run("--check-config", "--config", workdir / "c.conf")
    assert done.returncode == 0, done
    assert done.stderr == "" or "error" not in done.stderr.lower()


@pytest.mark.parametrize("address", ["0.0.0.0", "[::]"])
def test_does_not_start_where_others_could_write(workdir, database, drizzle,
                                                 address):
    listen = f"{address}:{free_port()}"
    args = ["--migrations", drizzle([]), "--database-url", database.url,
            "--listen", listen]
    done = run(*args, timeout=20)
    assert done.returncode == CONFIGURATION, done
    assert listen in done.stderr


def test_starts_there_with_a_token(start_daemon, workdir, database, drizzle):
    (workdir / "token").write_text("t" * 40)
    (workdir / "token").chmod(0o600)
    daemon = start_daemon("--migrations", drizzle([]), "--database-url",
                          database.url, "--token-file", workdir / "token",
                          listen=f"0.0.0.0:{free_port()}")
    assert daemon.get("/livez").status == 200


def test_starts_there_when_told_that_it_is_insecure(start_daemon, database,
                                                    drizzle):
    start_daemon("--migrations", drizzle([]), "--database-url", database.url,
                 options={"insecure": True},
                 listen=f"0.0.0.0:{free_port()}")


def test_address_in_use(serve, drizzle, database):
    folder = drizzle([])
    daemon = serve(folder)
    done = run("--migrations", folder, "--database-url", database.url,
               "--listen", daemon.listen, timeout=20)
    assert done.returncode == CONFIGURATION, done
    assert daemon.listen in done.stderr
    assert daemon.get("/livez").status == 200


def test_unreadable_configuration(workdir):
    path = workdir / "secret.conf"
    path.write_text("layout = 'drizzle'\n")
    path.chmod(0o000)
    done = run("--check-config", "--config", path, user="nobody")
    assert done.returncode == CONFIGURATION, done
    assert str(path) in done.stderr
