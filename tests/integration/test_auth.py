# SPDX-License-Identifier: PostgreSQL
"""Who may write."""

import json

import pytest

from harness.folder import tables
from harness.wait import wait_until

TOKEN = "correct-horse-battery-staple-0123456789"


@pytest.fixture
def guarded(serve, drizzle, workdir):
    (workdir / "token").write_text(TOKEN + "\n")
    (workdir / "token").chmod(0o600)
    return serve(drizzle(tables(1)), "--token-file", workdir / "token")


@pytest.mark.parametrize("authorization", [
    None, "", "Bearer", "Bearer ", "Bearer wrong", f"Bearer {TOKEN}x",
    f"Bearer {TOKEN[:-1]}", f"Basic {TOKEN}", TOKEN, f"Bearer  {TOKEN} x",
    "Bearer " + "x" * 10_000,
])
def test_bad_token(guarded, database, authorization):
    headers = {} if authorization is None else {
        "Authorization": authorization}
    got = guarded.apply(**headers)
    assert got.status in (401, 429, 431), repr(got)
    if got.status == 401:
        got.problem(401, "PERMISSION_DENIED")
        assert got.headers["WWW-Authenticate"].startswith("Bearer")
    assert database.tables() == []
    assert TOKEN not in guarded.stderr()


def test_token_in_the_query_is_not_one(guarded, database):
    got = guarded.post(f"/apply?access_token={TOKEN}&token={TOKEN}")
    assert got.status in (400, 401)
    assert database.tables() == []


def test_the_right_token(guarded):
    for word in ("Bearer", "bearer"):
        got = guarded.apply(Authorization=f"{word} {TOKEN}")
        assert got.status == 200, repr(got)
    assert guarded.get("/status").status == 200, "reading needs none"
    assert guarded.get("/metrics").status == 200
    assert guarded.post("/reload").status == 401
    assert guarded.post("/baseline", json={}).status == 401


def test_guessing_is_slowed_down(guarded):
    codes = [guarded.apply(Authorization=f"Bearer {i}").status
             for i in range(60)]
    assert set(codes) <= {401, 429}
    assert 429 in codes
    wait_until(lambda: guarded.apply(
        Authorization=f"Bearer {TOKEN}").status == 200, 5)


def test_unix_socket_needs_no_token(start_daemon, drizzle, database, workdir):
    path = workdir / "api.sock"
    daemon = start_daemon("--migrations", drizzle(tables(1)),
                          "--database-url", database.url,
                          listen=f"unix:{path}")
    assert path.stat().st_mode & 0o007 == 0
    assert daemon.apply().status == 200
    assert json.loads(daemon.get("/status").body)["verdict"] == "current"
    daemon.stop()
    assert not path.exists()


def test_host_that_is_allowed(serve, drizzle):
    daemon = serve(drizzle(tables(1)),
                   options={"allowed_hosts": ["migrationd.apps.svc"]})
    assert daemon.apply(Host="evil.example").status == 421
    assert daemon.apply(Host="migrationd.apps.svc:8432").status == 200
    assert daemon.apply(Host="localhost").status == 200
