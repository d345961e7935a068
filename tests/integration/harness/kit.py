# SPDX-License-Identifier: PostgreSQL
"""A developer's checkout with drizzle-kit 0.x, the real one: a schema in
TypeScript, of which it generates the folder `drizzle`."""

import atexit
import functools
import json
import os
import pathlib
import shutil
import subprocess
import tempfile

from harness.folder import write
from harness.interop import KIT, require_node

CONFIG = {"dialect": "postgresql", "schema": "./schema.ts",
          "out": "./drizzle"}


def schema(*columns):
    """Table users with these text columns beside its id."""
    listed = "".join(f", {c}: text()" for c in columns)
    return ('import { pgTable, integer, text } from "drizzle-orm/pg-core";\n'
            'export const users = pgTable("users",'
            f' {{ id: integer().primaryKey(){listed} }});\n')


@functools.lru_cache(maxsize=None)
def first_migration():
    """The folder with migration init, of users with a name: made once and
    copied, because Node.js takes its time."""
    directory = pathlib.Path(tempfile.mkdtemp(prefix="mgd-kit-"))
    atexit.register(shutil.rmtree, directory)
    made = Checkout(directory)
    made.generate("init", "name")
    return made.folder


class Checkout:
    def __init__(self, path):
        require_node(KIT)
        self.path = path
        self.folder = path / "drizzle"
        path.mkdir(exist_ok=True)
        (path / "node_modules").symlink_to(KIT / "node_modules")
        write(path / "drizzle.config.json", json.dumps(CONFIG))

    def begin(self):
        """As a project is that has its first migration."""
        shutil.copytree(first_migration(), self.folder)
        write(self.path / "schema.ts", schema("name"))
        return self

    def shell(self, command, expect=0):
        """A line typed in the checkout; its output."""
        env = dict(os.environ, GIT_CONFIG_GLOBAL="/dev/null",
                   GIT_AUTHOR_NAME="ann", GIT_AUTHOR_EMAIL="ann@localhost",
                   GIT_COMMITTER_NAME="ann",
                   GIT_COMMITTER_EMAIL="ann@localhost")
        done = subprocess.run(["bash", "-c", command], cwd=self.path, env=env,
                              capture_output=True, text=True, timeout=120,
                              check=False)
        assert done.returncode == expect, (command, done.stdout, done.stderr)
        return done.stdout + done.stderr

    def generate(self, name, *columns):
        """The schema has these columns now; its migration."""
        write(self.path / "schema.ts", schema(*columns))
        out = self.kit(f"generate --name {name}")
        assert "Your SQL migration file" in out, out

    def kit_check(self, expect=0):
        return self.kit("check", expect)

    def kit(self, command, expect=0):
        """What npx would run, a second sooner."""
        return self.shell(f"node node_modules/drizzle-kit/bin.cjs {command}",
                          expect)

    def journal(self):
        return json.loads((self.folder / "meta/_journal.json").read_text())

    def write_journal(self, document):
        write(self.folder / "meta/_journal.json",
              json.dumps(document, indent=2))

    def branch(self, name):
        """A copy of it as it is, of somebody who works at the same time."""
        other = self.path.with_name(name)
        shutil.copytree(self.path, other, symlinks=True)
        made = object.__new__(Checkout)
        made.path, made.folder = other, other / "drizzle"
        return made
