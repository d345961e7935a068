/* SPDX-License-Identifier: PostgreSQL */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "base/mem.h"
#include "core/repair.h"

static const struct migration migration = {
	.id = "0002_b", .version = "0002", .file = "0002_b.sql", .checksum = "sum"
};
static const struct history_row row = { .key = "0002", .checksum = "other" };

static struct plan_item
item_of(enum migration_state state)
{
	bool missing = state == MIGRATION_MISSING;

	return (struct plan_item){ .state = state,
		.migration = missing ? NULL : &migration,
		.row = state == MIGRATION_PENDING ? NULL : &row,
		.recorded_checksum = state == MIGRATION_PENDING ? NULL : row.checksum,
		.id = missing ? "gone" : "0002_b" };
}

static void
test_decide(void **state)
{
	static const struct {
		enum migration_state state;
		const char *action;
		const char *refusal; /* NULL: it fits */
		struct repair repair;
	} rows[] = {
		{ MIGRATION_PENDING, "retry", NULL,
		    { true, false, PLAN_KEEP_ROW, NULL } },
		{ MIGRATION_PENDING, "pending", NULL,
		    { true, false, PLAN_KEEP_ROW, NULL } },
		{ MIGRATION_PENDING, "applied", NULL,
		    { true, false, PLAN_ADD_ROW, "baseline" } },
		{ MIGRATION_FAILED, "applied", NULL,
		    { true, false, PLAN_ADD_ROW, "baseline" } },
		{ MIGRATION_OUT_OF_ORDER, "applied", NULL,
		    { true, false, PLAN_ADD_ROW, "baseline" } },
		{ MIGRATION_PENDING, "checksum", "0002_b is not recorded", { 0 } },
		{ MIGRATION_PENDING, "forget", "0002_b is not recorded", { 0 } },
		{ MIGRATION_APPLIED, "retry", NULL, { true, true, PLAN_KEEP_ROW, NULL } },
		{ MIGRATION_APPLIED, "applied", NULL,
		    { true, true, PLAN_KEEP_ROW, NULL } },
		{ MIGRATION_APPLIED, "pending", NULL,
		    { false, true, PLAN_REMOVE_ROW, "pending" } },
		{ MIGRATION_BASELINE, "pending", NULL,
		    { false, true, PLAN_REMOVE_ROW, "pending" } },
		{ MIGRATION_MODIFIED, "checksum", NULL,
		    { false, true, PLAN_BLESS_ROW, "applied" } },
		{ MIGRATION_APPLIED, "checksum",
		    "0002_b has the checksum that is recorded", { 0 } },
		{ MIGRATION_APPLIED, "forget", "0002_b has a file", { 0 } },
		{ MIGRATION_MISSING, "forget", NULL,
		    { false, false, PLAN_REMOVE_ROW, "forgotten" } },
		{ MIGRATION_MISSING, "pending", NULL,
		    { false, false, PLAN_REMOVE_ROW, "forgotten" } },
		{ MIGRATION_MISSING, "applied", "gone is recorded, but has no file",
		    { 0 } },
		{ MIGRATION_MISSING, "retry", "gone is recorded, but has no file",
		    { 0 } },
		{ MIGRATION_MISSING, "checksum", "gone is recorded, but has no file",
		    { 0 } },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		const struct plan_item item = item_of(rows[i].state);
		const struct repair *wanted = &rows[i].repair;
		struct repair got;
		struct err err = { 0 };
		int rc = repair_decide(&item, item.id, rows[i].action, &got, &err);

		if (rows[i].refusal != NULL) {
			assert_int_equal(rc, -1);
			assert_string_equal(err.text, rows[i].refusal);
			assert_int_equal(err_http_status(&err), 409);
			assert_int_equal(err_exit_code(&err), EXIT_REFUSED);
			assert_string_equal(err.migration, item.id);
			assert_true(err.hint[0] != '\0');
			continue;
		}
		if (rc != 0 || got.asks_first != wanted->asks_first ||
		    got.back != wanted->back || got.write != wanted->write ||
		    (got.after == NULL) != (wanted->after == NULL) ||
		    (got.after != NULL && strcmp(got.after, wanted->after) != 0))
			fail_msg("row %zu: %s", i, err.text);
	}
}

/* Applied by another tool, in a table without checksums. */
static void
test_first_checksum(void **state)
{
	struct plan_item item = item_of(MIGRATION_APPLIED);
	struct repair got;
	struct err err = { 0 };

	(void)state;
	item.recorded_checksum = NULL;
	assert_int_equal(repair_decide(&item, item.id, "checksum", &got, &err), 0);
	assert_int_equal(got.write, PLAN_BLESS_ROW);
}

static void
test_what_is_no_migration(void **state)
{
	const struct plan_item item = { .state = MIGRATION_UNREGISTERED, .id = "x.sql" };
	struct repair repair;
	struct err err = { 0 };

	(void)state;
	assert_int_equal(repair_decide(NULL, "0009", "retry", &repair, &err), -1);
	assert_int_equal(err.category, CAT_RESOURCE_NOT_FOUND);
	assert_string_equal(err.text, "there is no migration 0009");
	err_clear(&err);
	assert_int_equal(repair_decide(&item, "x.sql", "applied", &repair, &err), -1);
	assert_int_equal(err.category, CAT_RESOURCE_NOT_FOUND);
}

/* A row needs the checksum; what else is wrong with the file does not matter. */
static void
test_a_file_that_cannot_be_read(void **state)
{
	struct migration broken = migration;
	struct plan_item item = {
		.state = MIGRATION_INVALID, .migration = &broken, .id = "0002_b"
	};
	struct repair repair;
	struct err problem = { 0 }, err = { 0 };

	(void)state;
	err_set(&problem, CAT_PERMISSION_DENIED, "cannot read it");
	broken.problem = &problem;
	assert_int_equal(repair_decide(&item, "0002", "applied", &repair, &err), 0);
	broken.checksum[0] = '\0';
	assert_int_equal(repair_decide(&item, "0002", "applied", &repair, &err), -1);
	assert_string_equal(err.text, "cannot read it");
}

static void
test_refuse(void **state)
{
	struct plan_item item = item_of(MIGRATION_APPLIED);
	struct err err = { 0 };

	(void)state;
	assert_int_equal(repair_refuse(&item, "applied", &err), -1);
	assert_string_equal(
	    err.text, "0002_b is recorded already, and nothing of it is in doubt");
	err_clear(&err);
	assert_int_equal(repair_refuse(&item, "retry", &err), -1);
	assert_string_equal(err.text, "nothing of 0002_b is in doubt");
	err_clear(&err);
	item = item_of(MIGRATION_PENDING);
	assert_int_equal(repair_refuse(&item, "retry", &err), -1);
	assert_string_equal(err.text, "nothing of 0002_b is in doubt");
	assert_string_equal(err.hint, "to run it, though it failed before: POST /apply");
}

static void
test_plan(void **state)
{
	struct plan *plan = mem_zero(NULL, struct plan);
	struct plan_item item = item_of(MIGRATION_APPLIED);
	const struct plan_step *step;

	(void)state;
	repair_plan(plan, &item, PLAN_REMOVE_ROW);
	assert_int_equal(plan->n_steps, 1);
	step = plan->steps;
	assert_ptr_equal(step->of, &migration);
	assert_int_equal(step->write, PLAN_REMOVE_ROW);
	assert_true(step->commit);
	assert_null(step->script);
	assert_string_equal(step->row->checksum, "other");

	item = item_of(MIGRATION_PENDING);
	repair_plan(plan, &item, PLAN_ADD_ROW);
	assert_null(plan->steps->row->key);

	/* a row without a file, and one without a key, too */
	item = item_of(MIGRATION_MISSING);
	repair_plan(plan, &item, PLAN_REMOVE_ROW);
	assert_string_equal(plan->steps->of->id, "gone");
	assert_string_equal(plan->steps->of->version, "0002");
	item.row = &(const struct history_row){ .checksum = "sum" };
	repair_plan(plan, &item, PLAN_REMOVE_ROW);
	assert_string_equal(plan->steps->of->version, "gone");
	talloc_free(plan);
}

/* One word is about no migration. */
static void
test_words(void **state)
{
	size_t n = 0;

	(void)state;
	for (size_t i = 0; repair_actions[i]; i++)
		n += repair_is_of_guard(repair_actions[i]);
	assert_int_equal(n, 1);
	assert_true(repair_is_of_guard("remove-guard"));
	assert_false(repair_is_of_guard(NULL));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_decide),
		cmocka_unit_test(test_words),
		cmocka_unit_test(test_first_checksum),
		cmocka_unit_test(test_what_is_no_migration),
		cmocka_unit_test(test_a_file_that_cannot_be_read),
		cmocka_unit_test(test_refuse),
		cmocka_unit_test(test_plan),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
