/* SPDX-License-Identifier: PostgreSQL */
#include "db/journal_batches.h"

#include <inttypes.h>
#include <stdlib.h>

#include "base/mem.h"
#include "db/journal.h"

#define OF_MIGRATION JOURNAL_OF_MIGRATION("b")

/* The least that a row takes: a header of 24 bytes and 4 of a line pointer. */
#define LEAST_ROW "28"

const struct pgconn_statement *
journal_batches_look(void)
{
	static const struct pgconn_statement look = { .sql = JOURNAL_LOOK("batches") };

	return &look;
}

struct pgconn_statement
journal_batches_create(const void *ctx, bool schema_exists)
{
	return journal_create_with(ctx, schema_exists,
	    "CREATE TABLE IF NOT EXISTS migrationd.batches ("
	    "tracking pg_catalog.text NOT NULL, "
	    "version pg_catalog.text NOT NULL, "
	    "batches pg_catalog.int8 NOT NULL, "
	    "rows pg_catalog.int8 NOT NULL, "
	    "total pg_catalog.int8, "
	    "bound pg_catalog.int8 NOT NULL, "
	    "run_id pg_catalog.uuid NOT NULL, "
	    "started_at pg_catalog.timestamptz NOT NULL "
	    "DEFAULT pg_catalog.clock_timestamp(), "
	    "updated_at pg_catalog.timestamptz NOT NULL "
	    "DEFAULT pg_catalog.clock_timestamp(), "
	    "PRIMARY KEY (tracking, version))");
}

struct pgconn_statement
journal_batches_read(
    const void *ctx, const struct tracking_table *table, const char *version)
{
	return journal_about(ctx, table, version,
	    "SELECT b.batches, b.rows, coalesce(b.total, -1), b.bound "
	    "FROM migrationd.batches b WHERE " OF_MIGRATION);
}

bool
journal_batches_read_row(const PGresult *result, struct run_batch *batch)
{
	if (PQntuples(result) != 1)
		return false;
	batch->batches = strtoull(PQgetvalue(result, 0, 0), NULL, 10);
	batch->rows = strtoull(PQgetvalue(result, 0, 1), NULL, 10);
	batch->total = strtoll(PQgetvalue(result, 0, 2), NULL, 10);
	batch->bound = strtoull(PQgetvalue(result, 0, 3), NULL, 10);
	return true;
}

/* A table with children holds its rows in them. */
struct pgconn_statement
journal_batches_bound(const void *ctx, const struct batch *batch)
{
	return (struct pgconn_statement){
		.sql = "SELECT coalesce((SELECT CASE WHEN c.relhassubclass THEN 0 ELSE "
		       "GREATEST(c.reltuples::pg_catalog.int8, "
		       "pg_catalog.pg_relation_size(c.oid::pg_catalog.regclass) "
		       "OPERATOR(pg_catalog./) " LEAST_ROW ") END "
		       "FROM pg_catalog.pg_class c WHERE c.oid OPERATOR(pg_catalog.=) "
		       "pg_catalog.to_regclass($1::pg_catalog.text)::pg_catalog.oid), 0)",
		.n_params = 1,
		.params = { mem_strndup(ctx, batch->table, batch->table_len) },
	};
}

struct pgconn_statement
journal_batches_note(const void *ctx, const struct tracking_table *table,
    const char *version, const struct run_batch *batch, uint64_t rows, const char *run_id)
{
	struct pgconn_statement note = journal_about(ctx, table, version,
	    "INSERT INTO migrationd.batches AS b "
	    "(tracking, version, batches, rows, total, bound, run_id) VALUES "
	    "($1, $2, 1, $3::pg_catalog.int8, $4::pg_catalog.int8, "
	    "$5::pg_catalog.int8, $6::pg_catalog.uuid) "
	    "ON CONFLICT (tracking, version) DO UPDATE SET "
	    "batches = b.batches OPERATOR(pg_catalog.+) 1, "
	    "rows = b.rows OPERATOR(pg_catalog.+) excluded.rows, "
	    "run_id = excluded.run_id, updated_at = pg_catalog.clock_timestamp()");

	note.n_params = 6;
	note.params[2] = mem_printf(ctx, "%" PRIu64, rows);
	note.params[3] =
	    batch->total < 0 ? NULL : mem_printf(ctx, "%" PRId64, batch->total);
	note.params[4] = mem_printf(ctx, "%" PRIu64, batch->bound);
	note.params[5] = run_id;
	return note;
}

struct pgconn_statement
journal_batches_forget(
    const void *ctx, const struct tracking_table *table, const char *version)
{
	return journal_about(
	    ctx, table, version, "DELETE FROM migrationd.batches b WHERE " OF_MIGRATION);
}

const struct pgconn_statement *
journal_batches_load(void)
{
	static const struct pgconn_statement load = {
		.sql =
		    "SELECT coalesce((SELECT pg_catalog.max(EXTRACT(EPOCH FROM r.replay_lag)) "
		    "OPERATOR(pg_catalog.*) 1000 FROM pg_catalog.pg_stat_replication r), 0)"
		    "::pg_catalog.int8, (SELECT pg_catalog.count(*) "
		    "FROM pg_catalog.pg_stat_activity a "
		    "WHERE a.state OPERATOR(pg_catalog.=) 'active' "
		    "AND a.backend_type OPERATOR(pg_catalog.=) 'client backend' "
		    "AND a.pid OPERATOR(pg_catalog.<>) pg_catalog.pg_backend_pid()), "
		    "EXISTS (SELECT FROM pg_catalog.pg_stat_replication r "
		    "WHERE r.state IS NULL), "
		    "EXISTS (SELECT FROM pg_catalog.pg_stat_activity a "
		    "WHERE a.datid IS NOT NULL AND a.usesysid IS NOT NULL "
		    "AND a.backend_type IS NULL)",
	};

	return &load;
}
