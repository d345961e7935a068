# SPDX-License-Identifier: PostgreSQL
"""Stand-ins for YugabyteDB, CockroachDB and Citus: proxies before a real
PostgreSQL that say they are those, refuse what those were recorded to refuse,
and note what would not have been atomic there (`violations`). They are not
those servers and prove nothing about them beyond that."""

import re

from harness.standin import Refused, StandIn, bare, split

DDL = re.compile(r"(create|alter|drop|truncate|grant|revoke|comment)\b", re.I)


class _Other(StandIn):
    says = ""
    refused = []
    ddl_alone = True

    def query(self, session, text):
        statements = [bare(s) for s in split(text)]
        ddl = [s for s in statements if DDL.match(s)]
        if self.ddl_alone and ddl and (session.state != b"I"
                                       or len(statements) > 1):
            self.violations.append(text)
        for statement in statements:
            for pattern, sqlstate, message in self.refused:
                if re.search(pattern, statement, re.I):
                    raise Refused(sqlstate, message)
        return self.disguise(text.replace(
            "pg_catalog.version()", f"'{self.says}'::text"))

    def disguise(self, text):
        return text


class Yugabyte(_Other):
    """`ddl` is what yb_ddl_transaction_block_enabled says, None before there
    was such a setting."""

    def __init__(self, postgres, database, version="2025.1.0.0-b0", ddl="off"):
        self.says = f"PostgreSQL 15.12-YB-{version} on x86_64-pc-linux-gnu"
        self.ddl = ddl
        self.ddl_alone = ddl != "on"
        self.refused = [(r"drop index concurrently", "0A000",
                         "DROP INDEX CONCURRENTLY not supported yet")]
        if version < "2025":
            self.refused = self.refused + [
                (r"advisory", "0A000", "advisory locks are not yet implemented")]
        super().__init__(postgres, database)

    def disguise(self, text):
        value = "NULL::text" if self.ddl is None else f"'{self.ddl}'::text"
        return text.replace("pg_catalog.current_setting("
                            "'yb_ddl_transaction_block_enabled', true)", value)


class Cockroach(_Other):
    """40001 is said to the first `conflicts` COMMITs."""

    says = "CockroachDB CCL v26.3.0 (x86_64-pc-linux-gnu)"
    refused = [
        (r"advisory", "42883", "unknown function: pg_try_advisory_lock()"),
        (r"\b(txid_current|txid_status|pg_is_in_recovery|to_regproc)\b", "42883",
         "unknown function"),
        (r"^reset|^set (local |session )?(tcp_|synchronous_commit|bytea_output)"
         r"|client_connection_check", "42704",
         "unrecognized configuration parameter"),
        (r"^do\b", "0A000", "unimplemented: DO"),
        (r"^listen|^lock ", "42601", "at or near: syntax error"),
    ]

    def __init__(self, postgres, database, conflicts=0):
        self.conflicts = conflicts
        super().__init__(postgres, database)

    def query(self, session, text):
        if text == "COMMIT" and self.conflicts > 0:
            self.conflicts -= 1
            session.ask("ROLLBACK")
            session.state = b"I"
            raise Refused("40001", "restart transaction:"
                          " TransactionRetryWithProtoRefreshError")
        return super().query(session, text)


class Citus(_Other):
    says = "PostgreSQL 15.20 (Debian) on x86_64-pc-linux-gnu"
    ddl_alone = False

    def disguise(self, text):
        return text.replace(
            "pg_catalog.to_regproc('pg_catalog.citus_version')",
            "'pg_catalog.version'::pg_catalog.regproc")
