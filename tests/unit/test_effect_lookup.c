/* SPDX-License-Identifier: PostgreSQL */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "base/macros.h"
#include "base/mem.h"
#include "db/effect_lookup.h"
#include "pgresult.h"

static void
test_lookup(void **state)
{
	static const struct {
		struct sqleffect effect;
		int n_params;
		const char *first;
		const char *about;
	} rows[] = {
		{ { .kind = SQLEFFECT_RELATION, .schema = "s", .name = "t" }, 2, "s",
		    "pg_class" },
		{ { .kind = SQLEFFECT_COLUMN, .name = "t", .part = "c" }, 3, "",
		    "pg_attribute" },
		{ { .kind = SQLEFFECT_CONSTRAINT, .name = "t", .part = "k" }, 3, "",
		    "pg_constraint" },
		{ { .kind = SQLEFFECT_SCHEMA, .name = "s" }, 1, "s", "pg_namespace" },
		{ { .kind = SQLEFFECT_TYPE, .name = "d" }, 2, "", "pg_type" },
	};
	void *ctx = mem_context(NULL, "test");

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct pgconn_statement lookup = effect_lookup(ctx, &rows[i].effect);

		assert_int_equal(lookup.n_params, rows[i].n_params);
		assert_string_equal(lookup.params[0], rows[i].first);
		assert_non_null(strstr(lookup.sql, rows[i].about));
		/* no operator that a search_path could bend */
		assert_null(strstr(lookup.sql, " = "));
	}
	talloc_free(ctx);
}

static void
test_ran(void **state)
{
	static const struct {
		const char *there;
		bool gone;
		bool ran;
	} rows[] = { { "t", false, true }, { "f", false, false }, { "t", true, false },
		{ "f", true, true } };

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		const struct sqleffect effect = { .gone = rows[i].gone };
		PGresult *result = pgresult_make(1, 1, &rows[i].there);

		assert_int_equal(effect_lookup_ran(&effect, result), rows[i].ran);
		PQclear(result);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_lookup),
		cmocka_unit_test(test_ran),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
