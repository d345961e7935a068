/* SPDX-License-Identifier: PostgreSQL */
#include "db/journal_statements.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/bounds.h"
#include "base/mem.h"
#include "base/text.h"
#include "db/journal.h"

#define OF_MIGRATION JOURNAL_OF_MIGRATION("s")

#define INSERT_HEAD                               \
	"INSERT INTO migrationd.statements AS s " \
	"(tracking, version, number, digest, run_id, finished_at) VALUES "

/* A statement that is begun again gets a new row in the place of the old. */
#define ON_CONFLICT                                               \
	" ON CONFLICT (tracking, version, number) DO UPDATE SET " \
	"digest = excluded.digest, run_id = excluded.run_id, "    \
	"started_at = excluded.started_at, finished_at = excluded.finished_at"

const struct pgconn_statement *
journal_statements_look(void)
{
	static const struct pgconn_statement look = { .sql = JOURNAL_LOOK("statements") };

	return &look;
}

/* As of the table of runs, columns are only ever added. */
struct pgconn_statement
journal_statements_create(const void *ctx, bool schema_exists)
{
	return journal_create_with(ctx, schema_exists,
	    "CREATE TABLE IF NOT EXISTS migrationd.statements ("
	    "tracking pg_catalog.text NOT NULL, "
	    "version pg_catalog.text NOT NULL, "
	    "number pg_catalog.int4 NOT NULL, "
	    "digest pg_catalog.text NOT NULL, "
	    "run_id pg_catalog.uuid NOT NULL, "
	    "started_at pg_catalog.timestamptz NOT NULL "
	    "DEFAULT pg_catalog.clock_timestamp(), "
	    "finished_at pg_catalog.timestamptz, "
	    "PRIMARY KEY (tracking, version, number))");
}

struct pgconn_statement
journal_statements_read(
    const void *ctx, const struct tracking_table *table, const char *version)
{
	return journal_about(ctx, table, version,
	    "SELECT s.number, s.digest, s.finished_at IS NOT NULL "
	    "FROM migrationd.statements s WHERE " OF_MIGRATION " ORDER BY s.number");
}

struct pgconn_statement
journal_statements_versions(const void *ctx, const struct tracking_table *table)
{
	struct pgconn_statement versions = journal_about(ctx, table, NULL,
	    "SELECT DISTINCT s.version FROM migrationd.statements s "
	    "WHERE s.tracking OPERATOR(pg_catalog.=) $1::pg_catalog.text");

	versions.n_params = 1;
	return versions;
}

struct resume_row *
journal_statements_rows(const void *ctx, const PGresult *result, size_t *n)
{
	int count = PQntuples(result);
	struct resume_row *rows = mem_array(ctx, struct resume_row, (size_t)count + 1);

	for (int i = 0; i < count; i++) {
		rows[i].number = (unsigned)strtoul(PQgetvalue(result, i, 0), NULL, 10);
		snprintf(rows[i].digest, sizeof(rows[i].digest), "%s",
		    PQgetvalue(result, i, 1));
		rows[i].finished = PQgetvalue(result, i, 2)[0] == 't';
	}
	*n = (size_t)count;
	return rows;
}

struct pgconn_statement
journal_statements_start(const void *ctx, const struct tracking_table *table,
    const char *version, const struct script_statement *statement, const char *run_id)
{
	struct pgconn_statement start = journal_about(ctx, table, version,
	    INSERT_HEAD
	    "($1, $2, $3::pg_catalog.int4, $4, $5::pg_catalog.uuid, NULL)" ON_CONFLICT);
	char digest[DIGEST_HEX];

	script_digest(statement, digest);
	start.n_params = 5;
	start.params[2] = mem_printf(ctx, "%u", statement->number);
	start.params[3] = mem_strdup(ctx, digest);
	start.params[4] = run_id;
	return start;
}

struct pgconn_statement
journal_statements_finish(const void *ctx, const struct tracking_table *table,
    const char *version, unsigned number)
{
	struct pgconn_statement finish = journal_about(ctx, table, version,
	    "UPDATE migrationd.statements s SET finished_at = pg_catalog.clock_timestamp() "
	    "WHERE " OF_MIGRATION
	    " AND s.number OPERATOR(pg_catalog.=) $3::pg_catalog.int4");

	finish.n_params = 3;
	finish.params[2] = mem_printf(ctx, "%u", number);
	return finish;
}

struct pgconn_statement
journal_statements_segment(const void *ctx, const struct tracking_table *table,
    const char *version, const struct script *script,
    const struct script_segment *segment, const char *run_id)
{
	struct pgconn_statement done;
	struct text sql;

	text_init(&sql, ctx, BOUND_RUN_BYTES);
	text_add(&sql, INSERT_HEAD);
	for (size_t i = 0; i < segment->n; i++) {
		const struct script_statement *st =
		    &script->statements[segment->first + i];
		char digest[DIGEST_HEX];

		script_digest(st, digest);
		text_addf(&sql,
		    "%s($1, $2, %u, '%s', $3::pg_catalog.uuid, "
		    "pg_catalog.clock_timestamp())",
		    i > 0 ? ", " : "", st->number, digest);
	}
	text_add(&sql, ON_CONFLICT);
	done = journal_about(ctx, table, version, sql.data);
	done.n_params = 3;
	done.params[2] = run_id;
	return done;
}

/* No name of a migration has a slash. */
#define BACK "/down"

const char *
journal_statements_key_back(const void *ctx, const char *version)
{
	return mem_printf(ctx, "%s" BACK, version);
}

struct pgconn_statement
journal_statements_forget(
    const void *ctx, const struct tracking_table *table, const char *version)
{
	return journal_about(ctx, table, version,
	    "DELETE FROM migrationd.statements s "
	    "WHERE s.tracking OPERATOR(pg_catalog.=) $1::pg_catalog.text AND s.version "
	    "OPERATOR(pg_catalog.=) ANY (ARRAY[$2::pg_catalog.text, "
	    "pg_catalog.concat($2::pg_catalog.text, '" BACK "')])");
}

struct pgconn_statement
journal_statements_repair(const void *ctx, const struct tracking_table *table,
    const char *version, const char *action)
{
	if (strcmp(action, "pending") == 0)
		return journal_statements_forget(ctx, table, version);
	if (strcmp(action, "retry") == 0)
		return journal_about(ctx, table, version,
		    "DELETE FROM migrationd.statements s WHERE " OF_MIGRATION
		    " AND s.finished_at IS NULL");
	return journal_about(ctx, table, version,
	    "UPDATE migrationd.statements s SET finished_at = pg_catalog.clock_timestamp() "
	    "WHERE " OF_MIGRATION " AND s.finished_at IS NULL");
}
