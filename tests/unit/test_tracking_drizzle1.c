/* SPDX-License-Identifier: PostgreSQL */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/bounds.h"
#include "base/macros.h"
#include "base/mem.h"
#include "db/tracking.h"
#include "pgresult.h"
#include "scratch.h"

#define NAME "\"my schema\".\"a \"\"table\"\"\""

static struct tracking_table
new_table(void)
{
	return (struct tracking_table){
		.kind = &tracking_drizzle1, .schema = "my schema", .table = "a \"table\""
	};
}

/* The same as drizzle-orm 0.x has made it. */
static struct tracking_table
old_table(void)
{
	const struct tracking_look look = { true, true, ",id,hash,created_at,", false };
	struct tracking_table table = new_table();

	tracking_settle(&table, &look);
	return table;
}

static void
test_what_it_is(void **state)
{
	(void)state;
	assert_ptr_equal(tracking_find("drizzle1"), &tracking_drizzle1);
	assert_string_equal(
	    tracking_drizzle1.default_schema, tracking_drizzle.default_schema);
	assert_string_equal(
	    tracking_drizzle1.default_table, tracking_drizzle.default_table);
	assert_string_equal(
	    tracking_drizzle1.guard_columns, tracking_drizzle.guard_columns);
	assert_string_equal(tracking_drizzle1.needs_layout, "drizzle1");
	assert_int_equal(tracking_drizzle1.key, HISTORY_BY_NAME);
	assert_null(tracking_drizzle1.upgrade);
}

#define TABLE                                                      \
	"CREATE TABLE IF NOT EXISTS " NAME                         \
	" (id SERIAL PRIMARY KEY, hash pg_catalog.text NOT NULL, " \
	"created_at bigint, name pg_catalog.text, "                \
	"applied_at timestamp with time zone DEFAULT pg_catalog.now())"

static void
test_create(void **state)
{
	struct tracking_table table = new_table();

	assert_string_equal(tracking_create(*state, &table, false).sql,
	    "CREATE SCHEMA IF NOT EXISTS \"my schema\";" TABLE);
	assert_string_equal(tracking_create(*state, &table, true).sql, TABLE);
}

static void
test_record(void **state)
{
	const struct tracking_table table = new_table();
	const struct migration m = {
		.id = "20231114221320_init",
		.version = "20231114221320_init",
		.order = 1700000000000,
		.checksum = "abc",
	};
	struct pgconn_statement statement =
	    tracking_drizzle1.record(*state, &table, &m, 5);

	assert_string_equal(statement.sql,
	    "INSERT INTO " NAME " (\"hash\", \"created_at\", \"name\") "
	    "SELECT $1::pg_catalog.text, $2::pg_catalog.int8, $3::pg_catalog.text "
	    "WHERE NOT EXISTS (SELECT 1 FROM " NAME " AS t "
	    "WHERE t.name OPERATOR(pg_catalog.=) $3::pg_catalog.text)");
	assert_int_equal(statement.n_params, 3);
	assert_string_equal(statement.params[0], "abc");
	assert_string_equal(statement.params[1], "1700000000000");
	assert_string_equal(statement.params[2], "20231114221320_init");
}

static void
test_forget_and_bless(void **state)
{
	const struct tracking_table table = new_table();
	const struct history_row row = { .key = "20231114221320_init",
		.checksum = "abc" };
	const struct migration m = { .checksum = "def" };
	const struct tracking_gone gone = { .row = &row, .migration = &m };
	struct pgconn_statement statement =
	    tracking_drizzle1.forget(*state, &table, &gone);

	assert_string_equal(statement.sql,
	    "DELETE FROM " NAME
	    " AS t WHERE t.hash::pg_catalog.text OPERATOR(pg_catalog.=) "
	    "$1::pg_catalog.text AND (t.name::pg_catalog.text OPERATOR(pg_catalog.=) "
	    "$2::pg_catalog.text OR (t.name IS NULL AND $2::pg_catalog.text IS NULL))");
	assert_int_equal(statement.n_params, 2);
	assert_string_equal(statement.params[0], "abc");
	assert_string_equal(statement.params[1], "20231114221320_init");
	statement = tracking_drizzle1.bless(*state, &table, &gone);
	assert_string_equal(statement.sql,
	    "UPDATE " NAME " AS t SET hash = $3::pg_catalog.text "
	    "WHERE t.hash::pg_catalog.text OPERATOR(pg_catalog.=) $1::pg_catalog.text "
	    "AND t.name::pg_catalog.text OPERATOR(pg_catalog.=) $2::pg_catalog.text");
	assert_int_equal(statement.n_params, 3);
	assert_string_equal(statement.params[2], "def");
}

/* ---- whose it is ---- */

static void
test_settle_and_check(void **state)
{
	static const struct {
		const char *columns; /* "": no table */
		bool old;
		const char *text; /* in the error; NULL: fine */
	} rows[] = {
		{ "", false, NULL },
		{ ",id,hash,created_at,name,applied_at,", false, NULL },
		{ ",id,hash,created_at,name,", false, NULL },
		{ ",id,hash,created_at,", true, NULL },
		{ ",id,hash,created_at,more,", true, NULL },
		{ ",id,hash,", false, "has no column \"created_at\"" },
		{ ",version,name,", false, "has no column \"id\"" },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		const struct tracking_look look = { true, *rows[i].columns != '\0',
			rows[i].columns, false };
		struct tracking_table table = new_table();
		struct err err = { 0 };

		tracking_settle(&table, &look);
		assert_int_equal(table.kind != &tracking_drizzle1, rows[i].old);
		assert_int_equal(
		    tracking_check(&table, &look, &err), rows[i].text ? -1 : 0);
		if (rows[i].text)
			assert_non_null(strstr(err.text, rows[i].text));
	}
}

static void
test_other_kinds_have_no_older_one(void **state)
{
	const struct tracking_look look = { true, true, ",id,", false };
	struct tracking_table table = {
		.kind = &tracking_drizzle, .schema = "s", .table = "t"
	};

	(void)state;
	tracking_settle(&table, &look);
	assert_ptr_equal(table.kind, &tracking_drizzle);
}

/* ---- rows ---- */

static struct history *
read_rows(const void *ctx, const struct tracking_table *table, int n_fields, int n_rows,
    const char *const *values)
{
	PGresult *result = pgresult_make(n_fields, n_rows, values);
	struct history *history = NULL;
	struct err err = { 0 };

	assert_int_equal(
	    tracking_read_history(ctx, table, result, 99, &history, &err), 0);
	PQclear(result);
	assert_int_equal(history->n_rows, n_rows);
	assert_string_equal(history->needs_layout, "drizzle1");
	return history;
}

static void
test_rows(void **state)
{
	const struct tracking_table table = new_table();
	const struct history *history = read_rows(*state, &table, 4, 2,
	    (const char *const[]){ "20231114221320_init", "abc", "1700000000000",
		"1700000005000001", NULL, "def", NULL, NULL });

	assert_string_equal(tracking_read(*state, &table).sql,
	    "SELECT name, hash, created_at, (EXTRACT(EPOCH FROM "
	    "(pg_catalog.row_to_json(t) OPERATOR(pg_catalog.->>) 'applied_at')"
	    "::pg_catalog.timestamptz) OPERATOR(pg_catalog.*) 1000000)::pg_catalog.int8 "
	    "FROM " NAME " AS t ORDER BY id LIMIT 200001");
	assert_int_equal(history->key, HISTORY_BY_NAME);
	assert_string_equal(history->rows[0].key, "20231114221320_init");
	assert_string_equal(history->rows[0].checksum, "abc");
	assert_true(history->rows[0].has_order);
	assert_int_equal(history->rows[0].order, 1700000000000);
	assert_int_equal(history->rows[0].applied_at_us, 1700000005000001);
	assert_null(history->rows[1].key);
	assert_false(history->rows[1].has_order);
	assert_int_equal(history->rows[1].applied_at_us, 0);
}

/* ---- the upgrade ---- */

#define UPGRADE                                                                    \
	"BEGIN; SET LOCAL lock_timeout = '5s'; "                                   \
	"LOCK TABLE " NAME " IN ACCESS EXCLUSIVE MODE; "                           \
	"ALTER TABLE " NAME " ADD COLUMN IF NOT EXISTS \"name\" pg_catalog.text; " \
	"ALTER TABLE " NAME " ADD COLUMN IF NOT EXISTS \"applied_at\" "            \
	"timestamp with time zone DEFAULT pg_catalog.now()"
#define NAMED "; SELECT NOT EXISTS (SELECT 1 FROM " NAME " AS t WHERE t.name IS NULL)"

static void
test_upgrade(void **state)
{
	const struct tracking_table table = old_table();
	const struct migration a = { .version = "20231114221320_a" };
	const struct migration b = { .version = "20231114221321_b" };
	const struct migration *const owner[] = { &a, &b, &b };
	const struct history *history = read_rows(*state, &table, 2, 3,
	    (const char *const[]){
		"1700000000001", "abc", NULL, "it's", "1700000001001", NULL });
	struct pgconn_statement statement =
	    table.kind->upgrade(*state, &table, history, owner);

	assert_int_equal(history->key, HISTORY_BY_SECOND);
	assert_string_equal(tracking_read(*state, &table).sql,
	    "SELECT created_at, hash FROM " NAME " ORDER BY id LIMIT 200001");
	assert_int_equal(statement.n_params, 0);
	assert_string_equal(statement.sql,
	    UPGRADE
	    "; UPDATE " NAME " AS t SET \"name\" = v.name, \"applied_at\" = NULL "
	    "FROM (VALUES ('1700000000001'::pg_catalog.int8, 'abc', '20231114221320_a'), "
	    "(NULL::pg_catalog.int8, 'it''s', '20231114221321_b'), "
	    "('1700000001001'::pg_catalog.int8, '', '20231114221321_b')) "
	    "AS v (created_at, hash, name) "
	    "WHERE t.hash OPERATOR(pg_catalog.=) v.hash "
	    "AND (t.created_at OPERATOR(pg_catalog.=) v.created_at "
	    "OR (t.created_at IS NULL AND v.created_at IS NULL))" NAMED);
}

static void
test_upgrade_without_rows(void **state)
{
	const struct tracking_table table = old_table();
	const struct history *history = tracking_new_history(*state, &table, 5);

	assert_string_equal(
	    table.kind->upgrade(*state, &table, history, NULL).sql, UPGRADE NAMED);
	assert_int_equal(history->as_of_mono_us, 5);
}

static void
test_upgrade_is_bounded(void **state)
{
	const struct tracking_table table = old_table();
	const struct migration a = { .version = "20231114221320_a" };
	struct history *history = tracking_new_history(*state, &table, 5);
	size_t n = BOUND_UPGRADE_BYTES / 50;
	const struct migration **owner = mem_array(*state, const struct migration *, n);

	for (size_t i = 0; i < n; i++) {
		const struct history_row row = { .key = "1700000000001",
			.checksum = "a" };

		owner[i] = &a;
		history_add(history, &row);
	}
	assert_string_equal(table.kind->upgrade(*state, &table, history, owner).sql, "");
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		SCRATCH_TEST(test_what_it_is),
		SCRATCH_TEST(test_create),
		SCRATCH_TEST(test_record),
		SCRATCH_TEST(test_forget_and_bless),
		SCRATCH_TEST(test_settle_and_check),
		SCRATCH_TEST(test_other_kinds_have_no_older_one),
		SCRATCH_TEST(test_rows),
		SCRATCH_TEST(test_upgrade),
		SCRATCH_TEST(test_upgrade_without_rows),
		SCRATCH_TEST(test_upgrade_is_bounded),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
