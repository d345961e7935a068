/* SPDX-License-Identifier: PostgreSQL */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/mem.h"
#include "ctl/words.h"

static void
test_words(void **state)
{
	static const struct {
		const char *advice;
		const char *said;
	} rows[] = {
		{ "", "" },
		{ "mend the file", "mend the file" },
		{ "POST /apply runs them; GET /plan shows them first",
		    "migrationctl apply runs them; migrationctl plan shows them first" },
		{ "GET /migrations lists them", "migrationctl list lists them" },
		{ "GET /migrations/0043_x.y has both",
		    "migrationctl show 0043_x.y has both" },
		{ "see GET /runs/0a-1b", "see migrationctl show 0a-1b" },
		{ "POST /runs/0a-1b/cancel ends it",
		    "migrationctl cancel 0a-1b ends it" },
		{ "GET /runs lists them.", "migrationctl history lists them." },
		{ "it is POST /apply.", "it is migrationctl apply." },
		{ "POST /repair with {\"migration\": \"0043\", \"action\": \"retry\"} to run it",
		    "migrationctl repair 0043 retry to run it" },
		{ "send {\"a\": 1} by POST /repair",
		    "send {\"a\": 1} by migrationctl repair" },
		{ "POST /repair with {\"migration\": no",
		    "migrationctl repair with {\"migration\": no" },
		{ "POST /repair with {broken}", "migrationctl repair with {broken}" },
		{ "migrationctl apply, or POST /apply",
		    "migrationctl apply, or POST /apply" },
		{ "POST /reload", "POST /reload" },
		{ "GET /runs/0a/b", "GET /runs/0a/b" },
		{ "POST /runs//cancel", "POST /runs//cancel" },
		{ "GET /", "GET /" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		char *said = words_as_commands(NULL, rows[i].advice);

		assert_string_equal(said, rows[i].said);
		talloc_free(said);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_words),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
