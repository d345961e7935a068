# SPDX-License-Identifier: PostgreSQL
"""A team that moves in: its folders, its settings in one file, the daemons
beside its application, and migrationctl on a developer's machine or in CI."""

import concurrent.futures

from harness import ctl
from harness.daemon import config_text
from harness.folder import write

FINE, DRIFT, FILES, PENDING, CONFIGURATION = 0, 1, 2, 3, 4
FAILED, UNREACHABLE, REFUSED = 5, 6, 8
QUICK = {"settle": "50ms", "rescan_interval": "1s", "refresh_interval": "1s"}


class Team:
    def __init__(self, workdir, database, start_daemon, migrations,
                 **settings):
        self.database = database
        self.start_daemon = start_daemon
        self.folder = migrations
        self.settings = {"migrations": migrations, **settings}
        self.config = write(workdir / "team.conf",
                            config_text(self.settings))

    def ctl(self, *args, expect=FINE, database=None):
        """migrationctl by itself, as a developer or CI calls it; what it
        printed."""
        done = ctl.run("--config", self.config, *args, env={
            "DATABASE_URL": (database or self.database).url})
        assert done.returncode == expect, (args, done.returncode, done.out,
                                           done.err)
        return done.out + done.err

    def ask(self, daemon, *args, expect=FINE):
        """migrationctl, which asks a daemon."""
        done = ctl.run("--server", daemon.base_url, *args)
        assert done.returncode == expect, (args, done.returncode, done.out,
                                           done.err)
        return done.out + done.err

    def replicas(self, count=2):
        """So many daemons, as a deployment with replicas has them."""
        return [self.start_daemon(
            "--database-url", self.database.url,
            options={**QUICK, **self.settings}) for _ in range(count)]

    def deploy(self, daemons, expect=FINE):
        """Every replica asks its daemon at the same time; what each was
        told."""
        with concurrent.futures.ThreadPoolExecutor(len(daemons)) as pool:
            return list(pool.map(
                lambda d: self.ask(d, "apply", expect=expect), daemons))

    def seen(self, daemons, verdict):
        for daemon in daemons:
            daemon.wait_verdict(verdict)
