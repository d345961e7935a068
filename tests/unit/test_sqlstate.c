/* SPDX-License-Identifier: PostgreSQL */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "base/macros.h"
#include "db/sqlstate.h"

static void
test_category(void **state)
{
	static const struct {
		const char *sqlstate;
		enum category category;
	} rows[] = {
		{ "08000", CAT_NETWORK_ERROR },
		{ "08006", CAT_NETWORK_ERROR },
		{ "25006", CAT_NETWORK_ERROR },
		{ "25001", CAT_SQL_ERROR },
		{ "28000", CAT_PERMISSION_DENIED },
		{ "28P01", CAT_PERMISSION_DENIED },
		{ "40P01", CAT_LOCK_TIMEOUT },
		{ "40001", CAT_SQL_ERROR },
		{ "42501", CAT_PERMISSION_DENIED },
		{ "42601", CAT_SQL_SYNTAX_ERROR },
		{ "42P01", CAT_SQL_ERROR },
		{ "53300", CAT_NETWORK_ERROR },
		{ "53200", CAT_SQL_ERROR },
		{ "55P03", CAT_LOCK_TIMEOUT },
		{ "55P04", CAT_SQL_ERROR },
		{ "57014", CAT_STATEMENT_TIMEOUT },
		{ "57P01", CAT_NETWORK_ERROR },
		{ "57P02", CAT_NETWORK_ERROR },
		{ "57P03", CAT_NETWORK_ERROR },
		{ "57P04", CAT_SQL_ERROR },
		{ "57P05", CAT_NETWORK_ERROR },
		{ "23505", CAT_SQL_ERROR },
		{ "XX000", CAT_SQL_ERROR },
		{ "2", CAT_SQL_ERROR },
		{ "", CAT_SQL_ERROR },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++)
		assert_int_equal(sqlstate_category(rows[i].sqlstate), rows[i].category);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_category),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
