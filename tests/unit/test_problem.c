/* SPDX-License-Identifier: PostgreSQL */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/mem.h"
#include "http/problem.h"

#define P "urn:migrationd:problem:"

static const struct problem_case {
	enum category category;
	unsigned status;
	const char *type;
	const char *title;
	bool retryable;
} cases[] = {
	/* clang-format off */
	/* the request's own faults are named by the status */
	{ CAT_CONFIGURATION, 400, P "bad-request", "Bad Request", false },
	{ CAT_PERMISSION_DENIED, 401, P "unauthorized", "Unauthorized", false },
	{ CAT_RESOURCE_NOT_FOUND, 404, P "not-found", "Not Found", false },
	{ CAT_CONFIGURATION, 405, P "method-not-allowed", "Method Not Allowed", false },
	{ CAT_SECURITY_VIOLATION, 421, P "misdirected-request", "Misdirected Request", false },
	{ CAT_NONE, 415, P "unsupported-media-type", "Unsupported Media Type", false },
	{ CAT_NONE, 299, P "unknown", "Unknown", false }, /* we never send it */
	{ CAT_NONE, 429, P "too-many-requests", "Too Many Requests", true },
	{ CAT_NONE, 503, P "service-unavailable", "Service Unavailable", true },
	/* what went wrong in doing it, by the category */
	{ CAT_SQL_ERROR, 422, P "sql-error", "A migration failed", false },
	{ CAT_OUT_OF_ORDER, 409, P "out-of-order", NULL, false },
	{ CAT_NETWORK_ERROR, 503, P "network-error", NULL, true },
	{ CAT_LOCK_TIMEOUT, 503, P "lock-timeout", NULL, true },
	{ CAT_INTERNAL, 500, P "internal", NULL, false },
	/* "the request is not right" does not fit a refused baseline */
	{ CAT_CONFIGURATION, 409, P "conflict", "Conflict", false },
	/* a status that makes a retry worth while does so whatever the category */
	{ CAT_CANCELLED, 503, P "cancelled", NULL, true },
	/* clang-format on */
};

static void
test_names(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		const struct problem_case *c = &cases[i];
		struct err err = { .category = c->category };
		char *type = problem_type(NULL, &err, c->status);

		assert_string_equal(type, c->type);
		assert_string_equal(problem_title(&err, c->status),
		    c->title ? c->title : category_title(c->category));
		assert_int_equal(problem_is_retryable(&err, c->status), c->retryable);
		talloc_free(type);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_names),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
