/* SPDX-License-Identifier: PostgreSQL */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/mem.h"
#include "base/names.h"
#include "core/phase.h"

static void
test_names(void **state)
{
	void *ctx = mem_context(NULL, "test");

	(void)state;
	assert_string_equal(
	    names_list(ctx, phase_name), "schema, data, repeatable, seeds");
	talloc_free(ctx);
	for (unsigned p = 0; p < PHASE_COUNT; p++)
		assert_int_equal(phase_find(phase_name(p)), p);
	assert_int_equal(phase_find("seed"), PHASE_COUNT);
}

/* The schema's is as configured; the others bring their own. */
static void
test_folder_and_table(void **state)
{
	(void)state;
	assert_null(phase_layout(PHASE_SCHEMA));
	assert_null(phase_tracking(PHASE_SCHEMA));
	for (unsigned p = PHASE_DATA; p < PHASE_COUNT; p++) {
		assert_non_null(phase_layout(p));
		assert_non_null(phase_tracking(p));
	}
}

static void
test_policies(void **state)
{
	const struct plan_policy target = {
		.out_of_order = OUT_OF_ORDER_SKIP,
		.on_modified = ON_MODIFIED_REFUSE,
		.transaction = TRANSACTION_RUN,
		.rerun = RERUN_ALWAYS,
	};
	static const struct {
		enum plan_on_modified on_modified;
		enum plan_transaction transaction;
		enum plan_rerun rerun;
		bool lenient;
	} rows[PHASE_COUNT] = {
		[PHASE_SCHEMA] = { ON_MODIFIED_REFUSE, TRANSACTION_RUN, RERUN_NEVER,
		    false },
		[PHASE_DATA] = { ON_MODIFIED_WARN, TRANSACTION_MIGRATION, RERUN_NEVER,
		    true },
		[PHASE_REPEATABLE] = { ON_MODIFIED_WARN, TRANSACTION_MIGRATION,
		    RERUN_CHANGED, false },
		[PHASE_SEEDS] = { ON_MODIFIED_WARN, TRANSACTION_MIGRATION, RERUN_ALWAYS,
		    false },
	};

	(void)state;
	for (unsigned p = 0; p < PHASE_COUNT; p++) {
		struct plan_policy policy = phase_policy(p, &target);

		assert_int_equal(policy.out_of_order, OUT_OF_ORDER_SKIP);
		assert_int_equal(policy.on_modified, rows[p].on_modified);
		assert_int_equal(policy.transaction, rows[p].transaction);
		assert_int_equal(policy.rerun, rows[p].rerun);
		assert_int_equal(phase_is_lenient(p), rows[p].lenient);
	}
}

static void
test_blocker(void **state)
{
	struct folder_problem note = { .blocks = false };
	struct folder_problem block = { .blocks = true };
	struct folder fine = { .problems = &note, .n_problems = 1 };
	struct folder broken = { .problems = &block, .n_problems = 1 };
	struct folder *folders[PHASE_COUNT] = { [PHASE_SCHEMA] = &fine };

	(void)state;
	assert_null(phase_blocker(0, folders));
	folders[PHASE_DATA] = &broken;
	assert_null(phase_blocker(0, folders));
	folders[PHASE_SEEDS] = &broken;
	assert_ptr_equal(phase_blocker(0, folders), &block);
	assert_null(phase_blocker(PHASE_BIT(PHASE_SCHEMA), folders));
	assert_ptr_equal(phase_blocker(PHASE_BIT(PHASE_SEEDS), folders), &block);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_names),
		cmocka_unit_test(test_folder_and_table),
		cmocka_unit_test(test_policies),
		cmocka_unit_test(test_blocker),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
