/* SPDX-License-Identifier: PostgreSQL */
#include "db/journal.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/bounds.h"
#include "base/mem.h"
#include "base/text.h"

/*
 * Changing the table: migrationds of several releases share it, the older ones unaware.
 * So columns are only ever added, each NULL or with a default, to the CREATE TABLE below
 * and by journal_widen, which only the table's owner can; no column is dropped, renamed or
 * given another type or meaning, and readers take a missing field of the JSON columns
 * as unknown.
 */
#define CREATE_TABLE                                     \
	"CREATE TABLE IF NOT EXISTS migrationd.runs ("   \
	"id pg_catalog.uuid PRIMARY KEY, "               \
	"target pg_catalog.text NOT NULL, "              \
	"operation pg_catalog.text NOT NULL, "           \
	"outcome pg_catalog.text NOT NULL, "             \
	"requested_by pg_catalog.text, "                 \
	"instance pg_catalog.text, "                     \
	"started_at pg_catalog.timestamptz NOT NULL, "   \
	"finished_at pg_catalog.timestamptz NOT NULL, "  \
	"duration_seconds pg_catalog.float8 NOT NULL, "  \
	"lock_wait_seconds pg_catalog.float8 NOT NULL, " \
	"migrations pg_catalog.jsonb NOT NULL, "         \
	"error pg_catalog.jsonb, "                       \
	"tracking pg_catalog.text)"

#define MICROSECONDS(expression) \
	"(" expression " OPERATOR(pg_catalog.*) 1000000)::pg_catalog.int8"
#define MEMBER(name) \
	"coalesce(pg_catalog.jsonb_extract_path_text(m.value, '" name "'), '')"
#define ERROR_FIELD ", pg_catalog.jsonb_extract_path_text(r.error, '%s')"

/* The fields of `error` that are texts, in the order of journal_recent. */
#define FIELD(member)                                    \
	{                                                \
#member, offsetof(struct err, member),   \
		    sizeof(((struct err *)NULL)->member) \
	}
static const struct {
	const char *name;
	size_t offset;
	size_t size;
} texts[] = {
	FIELD(sqlstate),
	FIELD(text),
	FIELD(detail),
	FIELD(hint),
	FIELD(context),
	FIELD(migration),
	FIELD(file),
	FIELD(excerpt),
	FIELD(answers),
};

/* And those before them. */
static const char *const numbers[] = {
	"category",
	"http_status",
	"exit_code",
	"line",
	"column",
	"statement",
};

enum column {
	COLUMN_ID,
	COLUMN_TARGET,
	COLUMN_OPERATION,
	COLUMN_OUTCOME,
	COLUMN_REQUESTED_BY,
	COLUMN_STARTED,
	COLUMN_FINISHED,
	COLUMN_DURATION,
	COLUMN_LOCK_WAIT,
	COLUMN_MIGRATIONS,
	COLUMN_CATEGORY,
	COLUMN_HTTP_STATUS,
	COLUMN_EXIT_CODE,
	COLUMN_LINE,
	COLUMN_COLUMN,
	COLUMN_STATEMENT,
	COLUMN_TEXTS, /* and as many as `texts` has */
	COLUMN_CHECKSUM = COLUMN_TEXTS + ARRAY_SIZE(texts),
	COLUMN_PHASE
};

struct pgconn_statement
journal_create(const void *ctx, bool schema_exists)
{
	return journal_create_with(ctx, schema_exists, CREATE_TABLE);
}

#define WIDEN                                                            \
	"ALTER TABLE migrationd.runs ADD COLUMN IF NOT EXISTS tracking " \
	"pg_catalog.text"

/* It waits for whoever reads the table, a dump perhaps: then a later run adds it. */
struct pgconn_statement
journal_widen(const void *ctx, bool with_timeout)
{
	return (struct pgconn_statement){
		.sql = mem_printf(ctx, "%s%s",
		    with_timeout ? "SET LOCAL lock_timeout = '2s'; " : "", WIDEN),
	};
}

void
journal_ask_to_widen(struct err *err)
{
	err_set(err, CAT_PERMISSION_DENIED,
	    "table migrationd.runs is of an older release, and does not tell services that "
	    "share this database apart: let its owner run: " WIDEN);
}

/* ---- writing ---- */

static const char *
seconds(const void *ctx, int64_t us)
{
	return mem_printf(ctx, "%" PRId64 ".%06" PRId64, us / 1000000, us % 1000000);
}

static void
add_member(struct text *json, const char *name, const char *value)
{
	if (!value)
		return;
	text_addf(json, ",\"%s\":", name);
	text_add_json_string(json, value);
}

/* Those of the schema are the rule, and older releases say it of none. */
static void
add_phase(struct text *json, enum phase phase)
{
	if (phase != PHASE_SCHEMA)
		add_member(json, "phase", phase_name(phase));
}

/*
 * What was decided stands with the migration: one that was recorded without being run is a
 * baseline from then on.
 */
static void
add_repair(struct text *json, const struct run *run)
{
	bool is_baseline = run->n_applied > 0 && run->after &&
	    strcmp(run->after, migration_state_name(MIGRATION_BASELINE)) == 0;

	text_add(json, "{\"id\":");
	text_add_json_string(json, run->up_to);
	if (run->n_applied > 0) {
		add_member(json, "version", run->applied[0].version);
		if (run->applied[0].checksum[0] != '\0')
			add_member(json, "checksum", run->applied[0].checksum);
	}
	add_phase(json, run->phase);
	add_member(json, "action", run->action);
	add_member(json, "reason", run->reason);
	text_addf(json, ",\"baseline\":%s}", is_baseline ? "true" : "false");
}

static const char *
migrations_json(const void *ctx, const struct run *run)
{
	struct text json;

	text_init(&json, ctx, BOUND_RUN_BYTES);
	text_add(&json, "[");
	if (run->operation == PLAN_REPAIR && run->outcome == RUN_SUCCEEDED && run->up_to)
		add_repair(&json, run);
	for (size_t i = 0; i < run->n_applied && run->operation != PLAN_REPAIR; i++) {
		const struct run_migration *m = &run->applied[i];

		text_add(&json, i ? ",{\"id\":" : "{\"id\":");
		text_add_json_string(&json, m->id);
		text_add(&json, ",\"version\":");
		text_add_json_string(&json, m->version);
		add_phase(&json, m->phase);
		if (m->phase == PHASE_SCHEMA && m->checksum[0] != '\0')
			text_addf(&json, ",\"checksum\":\"%s\"", m->checksum);
		text_addf(
		    &json, ",\"duration_seconds\":%s", seconds(ctx, m->duration_us));
		add_member(&json, "reason", run->reason);
		text_add(&json, "}");
	}
	text_add(&json, "]");
	return text_failed(&json) ? "[]" : json.data;
}

static const char *
error_json(const void *ctx, const struct run *run)
{
	const struct err *err = &run->err;
	struct text json;

	if (!err_is_set(err))
		return NULL;
	text_init(&json, ctx, BOUND_RUN_BYTES);
	text_addf(&json, "{\"category\":\"%s\",\"http_status\":%d,\"exit_code\":%d",
	    category_name(err->category), err->http_status, err->exit_code);
	text_addf(&json, ",\"line\":%u,\"column\":%u,\"statement\":%u", err->line,
	    err->column, err->statement);
	for (size_t i = 0; i < ARRAY_SIZE(texts); i++) {
		text_addf(&json, ",\"%s\":", texts[i].name);
		text_add_json_string(&json, (const char *)err + texts[i].offset);
	}
	if (run->failed_checksum[0] != '\0')
		text_addf(&json, ",\"checksum\":\"%s\"", run->failed_checksum);
	add_phase(&json, run->phase);
	text_add(&json, "}");
	return json.data;
}

struct pgconn_statement
journal_insert(const void *ctx, const struct run *run, const struct journal_owner *owner,
    const char *instance)
{
	bool says_whose = owner->tracking != NULL;

	return (struct pgconn_statement){
		.sql = mem_printf(ctx,
		    "INSERT INTO migrationd.runs (id, target, operation, outcome, requested_by, "
		    "instance, started_at, finished_at, duration_seconds, lock_wait_seconds, "
		    "migrations, error%s) VALUES ($1::pg_catalog.uuid, $2::pg_catalog.text, "
		    "$3::pg_catalog.text, $4::pg_catalog.text, $5::pg_catalog.text, "
		    "$6::pg_catalog.text, pg_catalog.to_timestamp($7::pg_catalog.float8), "
		    "pg_catalog.to_timestamp($8::pg_catalog.float8), $9::pg_catalog.float8, "
		    "$10::pg_catalog.float8, $11::pg_catalog.jsonb, $12::pg_catalog.jsonb%s)",
		    says_whose ? ", tracking" : "",
		    says_whose ? ", $13::pg_catalog.text" : ""),
		.n_params = says_whose ? 13 : 12,
		.params = {
			run->id,
			owner->target,
			run_operation_name(run->operation),
			run_outcome_name(run->outcome),
			run->requested_by,
			instance,
			seconds(ctx, run->started_at_us),
			seconds(ctx, run->finished_at_us),
			seconds(ctx, run->duration_us),
			seconds(ctx, run->lock_wait_us),
			migrations_json(ctx, run),
			error_json(ctx, run),
			owner->tracking,
		},
	};
}

/* ---- reading ---- */

/* A UUIDv7 sorts by time, so the primary key serves the order. */
struct pgconn_statement
journal_recent(const void *ctx, const struct journal_owner *owner, unsigned limit)
{
	struct text sql;

	text_init(&sql, ctx, BOUND_SQL);
	text_add(&sql, "SELECT r.id, r.target, r.operation, r.outcome, r.requested_by, ");
	text_add(&sql, MICROSECONDS("EXTRACT(EPOCH FROM r.started_at)") ", ");
	text_add(&sql, MICROSECONDS("EXTRACT(EPOCH FROM r.finished_at)") ", ");
	text_add(&sql, MICROSECONDS("r.duration_seconds") ", ");
	text_add(&sql, MICROSECONDS("r.lock_wait_seconds") ", ");
	text_add(&sql,
	    "(SELECT pg_catalog.string_agg(pg_catalog.concat_ws(E'\\t', " MEMBER(
		"id") ", " MEMBER("version") ", ");
	text_add(&sql,
	    MICROSECONDS("coalesce(pg_catalog.jsonb_extract_path_text(m.value, "
			 "'duration_seconds'), '0')::pg_catalog.float8"));
	text_add(&sql, ", " MEMBER("phase") ", " MEMBER("checksum") "), ");
	text_add(&sql,
	    "E'\\n' ORDER BY m.n) FROM pg_catalog.jsonb_array_elements(r.migrations) "
	    "WITH ORDINALITY AS m(value, n))");
	for (size_t i = 0; i < ARRAY_SIZE(numbers); i++)
		text_addf(&sql, ERROR_FIELD, numbers[i]);
	for (size_t i = 0; i < ARRAY_SIZE(texts); i++)
		text_addf(&sql, ERROR_FIELD, texts[i].name);
	text_addf(&sql, ERROR_FIELD, "checksum");
	text_addf(&sql, ERROR_FIELD, "phase");
	text_add(&sql, " FROM migrationd.runs AS r");
	return journal_ask(
	    ctx, owner, sql.data, mem_printf(ctx, " ORDER BY r.id DESC LIMIT %u", limit));
}

static const char *
text_of(const PGresult *result, int row, int column)
{
	return PQgetvalue(result, row, column);
}

static int64_t
number_of(const PGresult *result, int row, enum column column)
{
	return strtoll(text_of(result, row, (int)column), NULL, 10);
}

static void
read_error(struct err *err, const PGresult *result, int row)
{
	const char *category = text_of(result, row, COLUMN_CATEGORY);

	for (int c = CAT_NONE; c < CAT_COUNT; c++)
		if (strcmp(category, category_name((enum category)c)) == 0)
			err->category = (enum category)c;
	err->http_status = (int)number_of(result, row, COLUMN_HTTP_STATUS);
	err->exit_code = (int)number_of(result, row, COLUMN_EXIT_CODE);
	err->line = (unsigned)number_of(result, row, COLUMN_LINE);
	err->column = (unsigned)number_of(result, row, COLUMN_COLUMN);
	err->statement = (unsigned)number_of(result, row, COLUMN_STATEMENT);
	for (size_t i = 0; i < ARRAY_SIZE(texts); i++)
		(void)snprintf((char *)err + texts[i].offset, texts[i].size, "%s",
		    text_of(result, row, COLUMN_TEXTS + (int)i));
}

/* The schema's where it is not said, or is one of a release to come. */
static enum phase
phase_of(const char *name)
{
	enum phase phase = phase_find(name);

	return phase == PHASE_COUNT ? PHASE_SCHEMA : phase;
}

/* Lines of id, version, microseconds, phase and checksum, with tabs between them. */
static void
read_migrations(struct run *run, const char *lines)
{
	char *copy = mem_strdup(run, lines);
	char *line_state = NULL;

	for (char *line = strtok_r(copy, "\n", &line_state); line;
	     line = strtok_r(NULL, "\n", &line_state)) {
		struct migration m = { .id = strsep(&line, "\t"),
			.version = strsep(&line, "\t") };
		const char *duration = strsep(&line, "\t");
		const char *phase = strsep(&line, "\t");

		if (line == NULL)
			continue;
		snprintf(m.checksum, sizeof(m.checksum), "%s", line);
		run->phase = phase_of(phase);
		run_add_applied(run, &m, strtoll(duration, NULL, 10));
	}
	talloc_free(copy);
}

static enum run_outcome
outcome_of(const char *name)
{
	for (int o = RUN_SUCCEEDED; o <= RUN_CANCELLED; o++)
		if (strcmp(name, run_outcome_name((enum run_outcome)o)) == 0)
			return (enum run_outcome)o;
	return RUN_FAILED;
}

static enum plan_operation
operation_of(const char *name)
{
	for (int o = PLAN_APPLY; o < PLAN_OPERATION_COUNT; o++)
		if (strcmp(name, run_operation_name((enum plan_operation)o)) == 0)
			return (enum plan_operation)o;
	return PLAN_APPLY;
}

struct run *
journal_read_run(const PGresult *result, int row)
{
	const struct run_request request = {
		.operation = operation_of(text_of(result, row, COLUMN_OPERATION)),
		.requested_by = PQgetisnull(result, row, COLUMN_REQUESTED_BY)
		    ? NULL
		    : text_of(result, row, COLUMN_REQUESTED_BY),
	};
	struct run *run = run_new(&request, text_of(result, row, COLUMN_TARGET),
	    number_of(result, row, COLUMN_STARTED), 0);

	(void)snprintf(run->id, sizeof(run->id), "%s", text_of(result, row, COLUMN_ID));
	read_migrations(run, text_of(result, row, COLUMN_MIGRATIONS));
	run->state = RUN_DONE;
	run->outcome = outcome_of(text_of(result, row, COLUMN_OUTCOME));
	run->finished_at_us = number_of(result, row, COLUMN_FINISHED);
	run->duration_us = number_of(result, row, COLUMN_DURATION);
	run->lock_wait_us = number_of(result, row, COLUMN_LOCK_WAIT);
	run->n_planned = run->n_applied;
	read_error(&run->err, result, row);
	(void)snprintf(run->failed_checksum, sizeof(run->failed_checksum), "%s",
	    text_of(result, row, COLUMN_CHECKSUM));
	run->phase = phase_of(text_of(result, row, COLUMN_PHASE));
	run_place_error(run);
	/* no other refusal parks a migration */
	run->in_doubt = run->outcome == RUN_REFUSED && run->failed_checksum[0] != '\0';
	return run;
}
