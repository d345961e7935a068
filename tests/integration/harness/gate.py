# SPDX-License-Identifier: PostgreSQL
"""A statement that ends when the test says so.

    def test_it_is_seen(serve, drizzle, gate):
        daemon = serve(drizzle([("0000_slow", gate.sql)]))
        daemon.apply(Prefer="respond-async")
        gate.wait()     # the migration stands in `gate.sql`
        ...             # look, for as long as it takes
        gate.open()     # it goes on

`with gate:` opens it too, before a pool of threads that wait for an answer.
A sleep in a migration is over before a slow machine has looked, and time lost
on a fast one. The gate is a session of the test's, which the statement sees in
pg_stat_activity as any role may: nothing is made or locked in the database,
and the session is of another, so that no count there changes. It ends with the
test, whatever the test did.
"""

import itertools

from harness.wait import wait_until

_numbers = itertools.count(1)

# The function, not the view of that name: it locks no catalog.
SQL = """DO $gate$ BEGIN
WHILE EXISTS (SELECT FROM pg_catalog.pg_stat_get_activity(NULL)
    WHERE pg_catalog.starts_with(application_name, '{name}')
    AND application_name <> '{name}' || pg_catalog.pg_backend_pid()) LOOP
  PERFORM pg_catalog.pg_stat_clear_snapshot(), pg_catalog.pg_sleep(0.02);
END LOOP; END $gate$;"""


class Gate:
    def __init__(self, postgres):
        self.name = f"gate-{next(_numbers)}-"
        self.sql = SQL.format(name=self.name)
        self._session = postgres.connect("postgres")
        self._call_it(self.name)

    def _call_it(self, name):
        self._session.cursor().execute("SET application_name = %s", (name,))

    def standing(self):
        """The pids of the sessions that stand in the statement."""
        cursor = self._session.cursor()
        cursor.execute(
            "SELECT pid FROM pg_stat_activity WHERE wait_event = 'PgSleep'"
            " AND position(%s IN query) > 0", (self.name,))
        return [pid for pid, in cursor.fetchall()]

    def wait(self, sessions=1, timeout=30):
        """Until so many stand there; their pids."""
        return wait_until(
            lambda: len(pids := self.standing()) >= sessions and pids,
            timeout, what=f"{sessions} at the gate")

    def open(self, pid=None):
        """For all and for good, or for this session alone."""
        if pid is None:
            self._session.close()
        else:
            self._call_it(f"{self.name}{pid}")

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.open()
