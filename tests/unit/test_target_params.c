/* SPDX-License-Identifier: PostgreSQL */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "base/macros.h"
#include "base/mem.h"
#include "db/target_params.h"

static const struct target_params full = {
	.name = "default",
	.database_url = "host=/run",
	.direct_url = "host=/direct",
	.database_url_file = "/etc/url",
	.direct_url_file = "/etc/direct",
	.password_file = "/etc/password",
	.password_command = "vault",
	.tracking = "drizzle",
	.tracking_schema = "a",
	.tracking_table = "b",
	.instance = "one",
	.journal = true,
	.connect_timeout_ms = 1,
	.connect_wait_ms = 2,
	.lock_wait_ms = 3,
	.policy = { .transaction = TRANSACTION_RUN },
};

static void
test_copy(void **state)
{
	struct target_params *copy = target_params_copy(NULL, &full);
	struct target_params *of_empty =
	    target_params_copy(NULL, &(struct target_params){ .name = "default" });

	(void)state;
	assert_true(target_params_equal(copy, &full));
	assert_ptr_not_equal(copy->database_url, full.database_url);
	assert_string_equal(copy->database_url, full.database_url);
	assert_int_equal(copy->connect_wait_ms, 2);
	assert_int_equal(copy->lock_wait_ms, 3);
	assert_int_equal(copy->policy.transaction, TRANSACTION_RUN);
	assert_null(of_empty->tracking_schema);
	assert_int_equal(talloc_get_size(copy), sizeof(*copy));
	talloc_free(copy);
	talloc_free(of_empty);
}

/* What leads elsewhere is another target; how it is treated there is not. */
static void
test_equal(void **state)
{
	struct target_params others[] = { full, full, full, full, full, full, full, full,
		full, full, full, full, full, full };
	struct target_params treated = full;

	(void)state;
	others[0].name = "other";
	others[1].database_url = "host=/tmp";
	others[2].password_file = NULL;
	others[3].tracking = "migration_log";
	others[4].tracking_schema = "b";
	others[5].tracking_table = NULL;
	others[6].instance = "two";
	others[7].journal = false;
	others[8].connect_timeout_ms = 7;
	others[9].direct_url = NULL;
	others[10].lock_mode = LOCK_MODE_LEASE;
	others[11].database_url_file = "/etc/other";
	others[12].direct_url_file = NULL;
	others[13].password_command = NULL;
	for (size_t i = 0; i < ARRAY_SIZE(others); i++) {
		assert_false(target_params_equal(&others[i], &full));
		assert_false(target_params_equal(&full, &others[i]));
		assert_true(target_params_equal(&others[i], &others[i]));
	}
	treated.policy.transaction = TRANSACTION_MIGRATION;
	treated.lock_wait_ms = 7;
	treated.connect_wait_ms = 7;
	assert_true(target_params_equal(&treated, &full));
}

static void
test_treat_as(void **state)
{
	struct target_params *params = target_params_copy(NULL, &full);
	const char *url = params->database_url;
	struct target_params other = full;

	(void)state;
	other.policy.transaction = TRANSACTION_MIGRATION;
	other.connect_wait_ms = 20;
	other.lock_wait_ms = 30;
	other.ddl_lock_timeout_ms = 40;
	other.statement_timeout_ms = 50;
	other.yield_after = 60;
	other.guard = true;
	target_params_treat_as(params, &other);
	assert_int_equal(params->policy.transaction, TRANSACTION_MIGRATION);
	assert_int_equal(params->connect_wait_ms, 20);
	assert_int_equal(params->lock_wait_ms, 30);
	assert_int_equal(params->ddl_lock_timeout_ms, 40);
	assert_int_equal(params->statement_timeout_ms, 50);
	assert_int_equal(params->yield_after, 60);
	assert_true(params->guard);
	assert_ptr_equal(params->database_url, url); /* its own strings stay */
	assert_true(target_params_equal(params, &full));
	talloc_free(params);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_copy),
		cmocka_unit_test(test_equal),
		cmocka_unit_test(test_treat_as),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
