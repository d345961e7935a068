# SPDX-License-Identifier: PostgreSQL
"""A stand-in for Aurora DSQL: a proxy before a real PostgreSQL that answers as
clusters were recorded to answer from 2026-09-15 to 2026-10-01, with SQLSTATE
and text. It is not Aurora DSQL and proves nothing about it beyond that.

What nobody recorded as working is refused as well (ASSUMED below), so that
migrationd does not come to lean on it.

Different from the service: a row lock waits (the service never does), and the
limits of 3,000 rows and 10 MiB are not kept.
"""

import random
import re
import threading
import time

from harness.standin import Answer, Closed, Refused, StandIn, bare, split

DDL = re.compile(r"(create|alter|drop|grant|revoke|comment|analyze)\b", re.I)
DML = re.compile(r"(select|insert|update|delete|with|values)\b", re.I)
ASYNC_INDEX = re.compile(
    r"create\s+(unique\s+)?index\s+async\s+(if\s+not\s+exists\s+)?(\w+\s+)?on\s"
    r"+([\w.]+)\s*(.*)$", re.I | re.DOTALL)
ASYNC_VALIDATE = re.compile(
    r"alter\s+table\s+async\s+([\w.]+)\s+(validate\s.*)$", re.I | re.DOTALL)

UNSUPPORTED = [
    (r"create (unique )?index concurrently",
     "CONCURRENTLY not supported for CREATE INDEX"),
    (r"create (unique )?index (?!async)",
     "unsupported mode. please use CREATE INDEX ASYNC."),
    (r"create (temp|temporary|unlogged) ", "unsupported table persistence"),
    (r"create table .* as select", "CREATE TABLE AS not supported"),
    (r"create table .* partition by", "PARTITION BY not supported"),
    (r"create (trigger|extension|database|tablespace|materialized|policy|type"
     r"|procedure)", "unsupported statement"),
    (r"(alter|drop) type", "unsupported statement"),
    (r"create .*language .?plpgsql", "language plpgsql not supported"),
    (r"alter table .* add (column )?(?!constraint)\w+ \w+.*"
     r"(not null|default|check|unique|references)",
     "ALTER TABLE ADD COLUMN with constraint not supported"),
    (r"alter table .* add constraint (?!.*not valid)(?!.*using index)",
     "unsupported ALTER TABLE ADD CONSTRAINT statement"),
    (r"alter table .* alter (column )?\w+ (set data )?type",
     "ALTER COLUMN TYPE not supported"),
    (r"alter table (?!async ).* validate constraint", "use ALTER TABLE ASYNC"),
    (r"truncate|vacuum|lock |merge |listen|notify|unlisten|alter system|copy "
     r"|prepare|deallocate|discard|declare|do |call ", "unsupported statement"),
    (r"savepoint|release|rollback to", "SAVEPOINT not supported"),
    (r"set transaction|set default_transaction_isolation|begin isolation level"
     r" (?!repeatable)", "SET TRANSACTION not supported"),
    (r".*for (share|no key update)", "unsupported row lock"),
]
# not recorded: nobody has seen them work
ASSUMED = [
    (r"reset ", "RESET not supported"),
    (r".*\b(txid_current|txid_status|pg_is_in_recovery|to_regproc)\b",
     "function not supported"),
    (r".*\b(pg_settings|pg_locks|pg_stat_activity|pg_stat_progress)\b",
     "relation not supported"),
    (r".*\bskip locked\b", "SKIP LOCKED not supported"),
]
SETTABLE = {"application_name", "client_encoding", "datestyle", "timezone",
            "extra_float_digits", "intervalstyle", "search_path", "role"}
MISSING = ("pg_database", "pg_extension", "pg_enum", "pg_authid",
           "pg_event_trigger")


class Dsql(StandIn):
    """max_age_s: a connection is closed then, as the service does after an
    hour. catalog_conflicts: each session is told once of each change of the
    catalogs by another (40001, OC001). commit_conflicts: so many COMMITs fail
    (40001, OC000). build_s: how long a job builds an index. expired: so many
    connects are told that their token is over."""

    def __init__(self, postgres, database, max_age_s=None,
                 catalog_conflicts=True, commit_conflicts=0, build_s=0.5,
                 expired=0):
        self.max_age_s, self.build_s = max_age_s, build_s
        self.catalog_conflicts = catalog_conflicts
        self.commit_conflicts = commit_conflicts
        self.expired = expired
        self.version = 0  # of the catalogs
        self.conflicts = 0  # that were answered
        self.job_delay = threading.Event()  # set: builds may end
        self.job_delay.set()
        database.execute(
            "CREATE SCHEMA sys; CREATE TABLE sys.jobs (job_id text PRIMARY KEY,"
            " status text, details text, job_type text, class_id oid,"
            " object_id oid, object_name text,"
            " start_time timestamptz DEFAULT now(), update_time timestamptz)")
        super().__init__(postgres, database)

    def parameter(self, payload):
        if payload.startswith(b"server_version\0"):
            return b"server_version\x0016.15\0"
        return payload

    def greeted(self):
        if self.expired == 0:
            return None
        self.expired -= 1
        return ((b"S", "FATAL"), (b"V", "FATAL"), (b"C", "28000"),
                (b"M", "unable to accept connection, access denied"),
                (b"H", "Signature expired: the token is over"))

    def connected(self, session):
        session.ask("SET default_transaction_isolation = 'repeatable read'")
        session.facts = {"since": time.monotonic(), "seen": self.version,
                         "ddl": 0, "dml": 0, "bumps": False}

    # -- one query ------------------------------------------------------------

    def query(self, session, text):
        facts = session.facts
        if (self.max_age_s is not None
                and time.monotonic() - facts["since"] > self.max_age_s):
            raise Closed
        if session.state == b"I":
            facts["ddl"] = facts["dml"] = 0
        statements = [bare(s) for s in split(text)]
        for statement in statements:
            self._judge(session, statement)
        self._conflict(session, statements)
        facts["bumps"] = any(DDL.match(s) for s in statements)
        for statement in statements:
            self._async(session, statement)
        return (text.replace("pg_catalog.version()", "'PostgreSQL 16'::text")
                .replace("pg_catalog.current_setting('server_version_num')",
                         "'160015'::text")
                .replace("pg_catalog.current_setting('server_version')",
                         "'16.15'::text"))

    def answered(self, session):
        if session.facts.get("bumps") and not session.failed:
            self.version += 1
            session.facts["seen"] = self.version
        session.facts["bumps"] = False

    def _judge(self, session, statement):
        lower = statement.lower()
        facts = session.facts
        if re.match(r"(begin|commit|rollback)\b(?! to)", lower):
            if lower.startswith("begin"):
                facts["ddl"] = facts["dml"] = 0
        elif DDL.match(statement):
            facts["ddl"] += 1
        elif DML.match(statement):
            facts["dml"] += 1
        for pattern, text in UNSUPPORTED + ASSUMED:
            if re.match(pattern, lower):
                raise Refused("0A000", text)
        if re.search(r"\b(big|small)?serial\b", lower) and DDL.match(statement):
            raise Refused("42704", 'type "serial" does not exist')
        if re.search(r"generated .* as identity(?! \(cache 1\))", lower):
            raise Refused("0A000", "identity column needs CACHE")
        if found := re.search(r"\b(pg_\w*advisory\w*)\s*\(", lower):
            raise Refused("0A000", f"function {found[1]} not supported")
        if found := re.match(r"set (?:local |session )?(\w+)", lower):
            if found[1] not in SETTABLE and not found[1].startswith("enable_"):
                raise Refused("0A000", "setting configuration parameter"
                              f' "{found[1]}" not supported')
        if any(re.search(rf"\b{name}\b", lower) for name in MISSING):
            raise Refused("42P01", "relation does not exist")
        if facts["ddl"] > 1:
            raise Refused("0A000", "multiple ddl statements not supported in a"
                          " transaction")
        if facts["ddl"] and facts["dml"]:
            raise Refused("0A000", "ddl and dml are not supported in the same"
                          " transaction")

    def _conflict(self, session, statements):
        facts = session.facts
        control = all(re.match(r"(begin|rollback)\b", s, re.I)
                      for s in statements)
        if self.catalog_conflicts and facts["seen"] < self.version and not control:
            facts["seen"] = self.version
            self.conflicts += 1
            raise Refused("40001", "schema has been updated by another"
                          " transaction, please retry: (OC001)")
        if statements == ["COMMIT"] and self.commit_conflicts > 0:
            self.commit_conflicts -= 1
            self.conflicts += 1
            session.ask("ROLLBACK")
            session.state = b"I"
            raise Refused("40001", "change conflicts with another transaction,"
                          " please retry: (OC000)")

    # -- jobs -----------------------------------------------------------------

    def _async(self, session, statement):
        if found := ASYNC_VALIDATE.match(statement):
            job = self._job("CONSTRAINT_VALIDATION", 0)
            threading.Thread(target=self._validate, daemon=True, args=(
                job, f"ALTER TABLE {found[1]} {found[2]}")).start()
        elif found := ASYNC_INDEX.match(statement):
            job = self._index(*found.groups())
        else:
            return
        raise Answer(statement.split(" ASYNC")[0].upper()[:12].strip(),
                     "job_id", [job])

    def _job(self, kind, object_id):
        job = "".join(random.choices("abcdefghijklmnopqrstuvwxyz234567", k=26))
        self.database.execute(
            "INSERT INTO sys.jobs (job_id, status, job_type, object_id)"
            f" VALUES ('{job}', 'submitted', '{kind}', {object_id})")
        return job

    def _end(self, job, status, details=""):
        details = details.replace("'", "''")
        self.database.execute(
            f"UPDATE sys.jobs SET status = '{status}', details = '{details}',"
            f" update_time = now() WHERE job_id = '{job}'")
        self.version += 1

    def _index(self, unique, if_not_exists, name, table, rest):
        """It is there at once, but not valid; the job makes it so."""
        name = name.strip()
        oid = self.database.query(f"SELECT to_regclass('{name}')::oid")[0][0]
        if oid is not None:
            if if_not_exists:
                return "a" * 26  # an id that no row has
            raise Refused("42P07", f'relation "{name}" already exists')
        self._run(f"CREATE INDEX {name} ON {table} {rest}")
        oid = self.database.query(f"SELECT to_regclass('{name}')::oid")[0][0]
        self.database.execute("UPDATE pg_index SET indisvalid = false"
                              f" WHERE indexrelid = {oid}")
        job = self._job("INDEX_BUILD", oid)
        threading.Thread(target=self._build, daemon=True, args=(
            job, oid, bool(unique), table, rest)).start()
        return job

    def _run(self, sql):
        try:
            self.database.execute(sql)
        except Exception as error:
            raise Refused(getattr(error, "pgcode", None) or "XX000",
                          str(error).split("\n", maxsplit=1)[0]) from error

    def _build(self, job, oid, unique, table, rest):
        self.database.execute("UPDATE sys.jobs SET status = 'processing'"
                              f" WHERE job_id = '{job}'")
        time.sleep(self.build_s)
        self.job_delay.wait(60)
        try:
            if unique:  # is it so?
                self._run(f"CREATE UNIQUE INDEX standin_try ON {table} {rest}")
                self._run("DROP INDEX standin_try")
            self._run("UPDATE pg_index SET indisvalid = true"
                      f", indisunique = {unique} WHERE indexrelid = {oid}")
        except Refused as refused:
            self._end(job, "failed", str(refused))
        else:
            self._end(job, "completed")

    def _validate(self, job, sql):
        try:
            self._run(sql)
        except Refused as refused:
            self._end(job, "failed", str(refused))
        else:
            self._end(job, "completed")
