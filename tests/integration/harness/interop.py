# SPDX-License-Identifier: PostgreSQL
"""drizzle-orm beside us: its migrator as a command."""

import shutil
import subprocess

import pytest

from harness.process import CHECKOUT

DIRECTORY = CHECKOUT / "tests" / "interop"
KIT = DIRECTORY / "kit"
DRIZZLE_1 = DIRECTORY / "drizzle1"


def require_node(directory=DIRECTORY):
    """The peers of `directory`, installed. Skip, with the reason, without
    Node.js; where npm fails, so does the test."""
    if shutil.which("node") is None:
        pytest.skip("node is not installed: ./bootstrap installs it")
    if not (directory / "node_modules" / "drizzle-orm").is_dir():
        got = subprocess.run(["npm", "ci", "--ignore-scripts"], cwd=directory,
                             capture_output=True, text=True, check=False)
        assert got.returncode == 0, f"npm ci in {directory}: {got.stderr}"


def drizzle_migrate(database, folder, schema=None, table=None, driver="pg",
                    drizzle=0):
    """Run migrate() of drizzle-orm 0.x or 1.0; returns the finished
    process."""
    options = ["--driver", driver, f"--drizzle={drizzle}"]
    if schema is not None:
        options.append(f"--schema={schema}")
    if table is not None:
        options.append(f"--table={table}")
    return subprocess.run(
        ["node", DIRECTORY / "migrate.mjs", database.url, folder, *options],
        capture_output=True, text=True, timeout=120, check=False)


def drizzle_applies(database, folder, **kwargs):
    done = drizzle_migrate(database, folder, **kwargs)
    assert done.returncode == 0, done.stderr


def we_apply(once, database, folder, *args):
    """What drizzle_applies does, by migrationd; returns the finished
    process."""
    done = once(folder, *args, url=database.url)
    assert done.returncode == 0, (done.stdout, done.stderr)
    return done


def dbmate(database, folder, *command):
    """Run dbmate itself; returns what it said."""
    require_node()
    done = subprocess.run(
        [DIRECTORY / "node_modules" / ".bin" / "dbmate", "--url", f"{database.url}&sslmode=disable"
         if "?" in database.url else f"{database.url}?sslmode=disable",
         "--migrations-dir", folder, "--no-dump-schema", *command],
        capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, done
    return done.stdout + done.stderr


def drizzle_kit_up(folder):
    """Turn a folder of drizzle-kit 0.x into one of 1.0, as its user would."""
    done = subprocess.run(
        ["node", DRIZZLE_1 / "node_modules" / "drizzle-kit" / "bin.cjs", "up",
         "--dialect", "postgresql", "--out", folder],
        capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, (done.stdout, done.stderr)
