/* SPDX-License-Identifier: PostgreSQL */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "base/macros.h"
#include "core/elsewhere.h"

static void
test_refuse(void **state)
{
	static const struct {
		const char *kind;
		const struct layout *layout;
		size_t n_more;
		const char *text;
		const char *hint;
	} rows[] = {
		{ "sqlx", &layout_sequence, 0,
		    "table s.t, a sqlx tracking table, has rows, and",
		    "folder: layout = sqlx, tracking = sqlx, tracking_schema = s, "
		    "tracking_table = t;" },
		{ "sqlx", NULL, 1,
		    "has rows (and 1 more such table), and ours, o.u, has none",
		    "folder: layout = sqlx, tracking = sqlx," },
		{ "drizzle", &layout_drizzle, 2, "has rows (and 2 more such tables), and",
		    "folder: tracking = drizzle," },
		{ "unheard", &layout_drizzle, 0, "a unheard tracking table",
		    "folder: tracking = unheard," },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		const struct elsewhere elsewhere = { "s", "t", rows[i].kind, "o.u",
			rows[i].n_more };
		struct err err = { 0 };

		elsewhere_refuse(&elsewhere, rows[i].layout, &err);
		assert_int_equal(err.category, CAT_CONFIGURATION);
		assert_int_equal(err.http_status, 409);
		assert_int_equal(err.exit_code, EXIT_REFUSED);
		assert_non_null(strstr(err.text, rows[i].text));
		assert_non_null(strstr(err.hint, rows[i].hint));
		assert_non_null(strstr(err.hint, "other_tracking = ignore"));
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_refuse),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
