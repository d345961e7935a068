/* SPDX-License-Identifier: PostgreSQL */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "base/macros.h"
#include "base/mem.h"
#include "db/connect.h"

static void
test_may_retry(void **state)
{
	static const struct {
		enum category category;
		const char *sqlstate;
		bool may;
	} rows[] = {
		{ CAT_NETWORK_ERROR, "", true }, /* nobody answered */
		{ CAT_NETWORK_ERROR, "08006", true },
		{ CAT_NETWORK_ERROR, "57P03", true },
		{ CAT_NETWORK_ERROR, "53300", true },
		{ CAT_NETWORK_ERROR, "57P01", true },
		{ CAT_NETWORK_ERROR, "25006", false },
		{ CAT_PERMISSION_DENIED, "28P01", false },
		{ CAT_PERMISSION_DENIED, "", false },
		{ CAT_CONFIGURATION, "3D000", false },
		{ CAT_CONFIGURATION, "", false },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct err err = { .category = rows[i].category };

		(void)snprintf(
		    err.sqlstate, sizeof(err.sqlstate), "%s", rows[i].sqlstate);
		assert_int_equal(connect_may_retry(&err), rows[i].may);
	}
}

/* What Aurora DSQL says of a token that is over, and while it wakes up. */
static void
test_stale(void **state)
{
	struct err expired = { .text = "unable to accept connection, access denied",
		.hint = "Signature expired: 20261120T055812Z is now earlier than ..." };
	struct err waking = { .text = "waking up cluster, please retry later" };
	struct err denied = { .text = "unable to accept connection, access denied" };

	(void)state;
	assert_true(connect_is_stale(&expired));
	assert_true(connect_is_stale(&waking));
	assert_false(connect_is_stale(&denied));
}

static void
test_pause(void **state)
{
	static const struct {
		unsigned attempt;
		unsigned whole_ms;
	} rows[] = {
		{ 0, 100 },
		{ 1, 200 },
		{ 5, 3200 },
		{ 6, 5000 },
		{ 4000000000u, 5000 },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++)
		for (int k = 0; k < 100; k++)
			assert_in_range(connect_pause_ms(rows[i].attempt),
			    rows[i].whole_ms / 2, rows[i].whole_ms);
}

static void
test_tracking_table(void **state)
{
	static const struct {
		const char *kind, *schema, *table; /* of the configuration */
		const char *current_schema;
		const char *named;
	} rows[] = {
		{ "drizzle", NULL, NULL, "app", "drizzle.__drizzle_migrations" },
		{ "drizzle", "public", "done", "app", "public.done" },
		{ "schema_migrations", NULL, NULL, "app", "app.schema_migrations" },
		{ "schema_migrations", NULL, NULL, "", "public.schema_migrations" },
		{ "schema_migrations", "mine", NULL, "app", "mine.schema_migrations" },
		{ "migration_log", NULL, "steps", "app", "app.steps" },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		const struct target_params params = {
			.tracking = rows[i].kind,
			.tracking_schema = rows[i].schema,
			.tracking_table = rows[i].table,
		};
		struct engine engine = { 0 };
		struct tracking_table table = { 0 };
		char named[128];

		(void)snprintf(engine.current_schema, sizeof(engine.current_schema), "%s",
		    rows[i].current_schema);
		table = connect_tracking_table(&params, PHASE_SCHEMA, &engine);
		(void)snprintf(named, sizeof(named), "%s.%s", table.schema, table.table);
		assert_string_equal(named, rows[i].named);
		assert_string_equal(table.kind->name, rows[i].kind);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_may_retry),
		cmocka_unit_test(test_stale),
		cmocka_unit_test(test_pause),
		cmocka_unit_test(test_tracking_table),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
