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
		{ "answer by POST /repair: \"retry\" to run it",
		    "answer by migrationctl repair: \"retry\" to run it" },
		{ "migrationctl apply, or POST /apply",
		    "migrationctl apply, or POST /apply" },
		{ "then send \"force\": true with it", "then send --force with it" },
		{ "to undo all of them, send {\"all\": true}",
		    "to undo all of them, send --all" },
		{ "GET /wait?for=current waits; POST /apply runs them",
		    "migrationctl wait waits; migrationctl apply runs them" },
		{ "GET /wait?for=0043", "GET /wait?for=0043" },
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

static void
test_requests(void **state)
{
	static const struct {
		const char *request;
		const char *said;
	} rows[] = {
		{ "{\"method\": \"POST\", \"path\": \"/apply\", \"body\": null}",
		    "migrationctl --server db1:8432 apply" },
		{ "{\"method\": \"POST\", \"path\": \"/runs/0a-1b/cancel\"}",
		    "migrationctl --server db1:8432 cancel 0a-1b" },
		{ "{\"method\": \"POST\", \"path\": \"/repair\", \"body\": "
		  "{\"action\": \"retry\", \"migration\": \"0043\", \"reason\": \"x\"}}",
		    "migrationctl --server db1:8432 repair 0043 retry" },
		{ "{\"method\": \"POST\", \"path\": \"/rollback\", \"body\": {\"to\": \"0\"}}",
		    "migrationctl --server db1:8432 rollback 0" },
		{ "{\"method\": \"POST\", \"path\": \"/repair\", \"body\": "
		  "{\"action\": \"retry\", \"migration\": \"a'; b\"}}",
		    "migrationctl --server db1:8432 repair 'a'\\''; b' retry" },
		{ "{\"method\": \"POST\", \"path\": \"/repair\", \"body\": {\"migration\": "
		  "\"roles\", \"action\": \"retry\", \"phase\": \"seeds\"}}",
		    "migrationctl --server db1:8432 repair roles retry --phase seeds" },
		/* of a daemon that knows more than we do */
		{ "{\"method\": \"POST\", \"path\": \"/reload\"}", "POST /reload" },
		{ "{\"method\": \"POST\", \"path\": \"/apply?now\"}", "POST /apply?now" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		json_t *request = json_loads(rows[i].request, 0, NULL);
		char *said =
		    words_of_request(NULL, "migrationctl --server db1:8432", request);

		assert_string_equal(said, rows[i].said);
		talloc_free(said);
		json_decref(request);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_words),
		cmocka_unit_test(test_requests),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
