/* SPDX-License-Identifier: PostgreSQL */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "base/mem.h"
#include "daemon/run_list.h"

static const struct folder no_folder;

/* One run of a history, the oldest first. */
struct event {
	enum run_outcome outcome;
	enum plan_operation operation;
	const char *failed;   /* the migration that it stopped at, by its own fault */
	const char *applied;  /* one that it applied */
	const char *repaired; /* the migration that a repair was about */
	enum phase phase;     /* that all this was of */
};

static struct run *
make(const struct event *event, unsigned number)
{
	struct run_request request = { .operation = event->operation,
		.up_to = event->repaired };
	struct run *run = run_new(&request, "default", number, 0);

	snprintf(run->id, sizeof(run->id), "run-%u", number);
	run->state = RUN_DONE;
	run->outcome = event->outcome;
	run->phase = event->phase;
	if (event->failed) {
		err_set(&run->err, CAT_SQL_ERROR, "no");
		snprintf(
		    run->err.migration, sizeof(run->err.migration), "%s", event->failed);
		snprintf(run->failed_checksum, sizeof(run->failed_checksum), "sum");
	}
	if (event->applied)
		run_add_applied(run,
		    &(struct migration){ .id = event->applied, .checksum = "sum" }, 1);
	return run;
}

static void
test_parked(void **state)
{
	static const struct {
		struct event events[4];
		unsigned n;
		const char *parked; /* id of the run; NULL: nothing is parked */
	} rows[] = {
		{ .n = 0 },
		{ { { RUN_SUCCEEDED, .applied = "a" } }, 1, NULL },
		{ { { RUN_FAILED, .failed = "b" } }, 1, "run-0" },
		{ { { RUN_FAILED, .failed = "b" }, { RUN_FAILED, .failed = "b" } }, 2,
		    "run-1" },
		/* it stopped to ask */
		{ { { RUN_REFUSED, .failed = "b" } }, 1, "run-0" },
		{ { { RUN_FAILED, .failed = "b" }, { RUN_REFUSED, .failed = "b" } }, 2,
		    "run-1" },
		{ { { RUN_REFUSED, .failed = "b" },
		      { RUN_SUCCEEDED, PLAN_REPAIR, .repaired = "b" } },
		    2, NULL },
		{ { { .outcome = RUN_REFUSED } }, 1, NULL },
		/* what says nothing about it leaves it parked */
		{ { { RUN_FAILED, .failed = "b" }, { .outcome = RUN_FAILED },
		      { .outcome = RUN_CANCELLED } },
		    3, "run-0" },
		{ { { RUN_FAILED, .failed = "b" }, { RUN_SUCCEEDED, .applied = "a" } }, 2,
		    "run-0" },
		{ { { RUN_FAILED, .failed = "b" },
		      { RUN_SUCCEEDED, PLAN_REPAIR, .repaired = "a" } },
		    2, "run-0" },
		{ { { RUN_FAILED, .failed = "b" },
		      { .outcome = RUN_SUCCEEDED, .operation = PLAN_REPAIR } },
		    2, "run-0" },
		{ { { RUN_FAILED, .failed = "b" },
		      { RUN_FAILED, PLAN_REPAIR, .repaired = "b" } },
		    2, "run-0" },
		/* it was applied since, if only on the way to another failure */
		{ { { RUN_FAILED, .failed = "b" }, { RUN_SUCCEEDED, .applied = "b" } }, 2,
		    NULL },
		{ { { RUN_FAILED, .failed = "b" }, { RUN_CANCELLED, .applied = "b" } }, 2,
		    NULL },
		{ { { RUN_FAILED, .failed = "b" },
		      { RUN_FAILED, .failed = "c", .applied = "b" } },
		    2, "run-1" },
		/* a person decided */
		{ { { RUN_FAILED, .failed = "b" },
		      { RUN_SUCCEEDED, PLAN_REPAIR, .repaired = "b" } },
		    2, NULL },
		{ { { RUN_FAILED, .failed = "b" },
		      { RUN_SUCCEEDED, PLAN_REPAIR, .repaired = "b" },
		      { RUN_FAILED, .failed = "b" } },
		    3, "run-2" },
		/* what has its name in another phase is another file */
		{ { { RUN_FAILED, .failed = "b", .phase = PHASE_REPEATABLE },
		      { RUN_SUCCEEDED, .applied = "b" } },
		    2, "run-0" },
		{ { { RUN_FAILED, .failed = "b", .phase = PHASE_REPEATABLE },
		      { RUN_SUCCEEDED, PLAN_REPAIR, .repaired = "b" } },
		    2, "run-0" },
		{ { { RUN_FAILED, .failed = "b", .phase = PHASE_SEEDS },
		      { RUN_SUCCEEDED, .applied = "b", .phase = PHASE_SEEDS } },
		    2, NULL },
		/* what became of another phase since makes no difference */
		{ { { RUN_FAILED, .failed = "a" },
		      { RUN_FAILED, .failed = "b", .phase = PHASE_SEEDS } },
		    2, "run-0" },
		{ { { RUN_FAILED, .failed = "a" },
		      { RUN_FAILED, .failed = "b", .phase = PHASE_SEEDS },
		      { RUN_SUCCEEDED, .applied = "b", .phase = PHASE_SEEDS } },
		    3, "run-0" },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct run_list list = { 0 };
		const struct run *parked = NULL;

		for (unsigned j = 0; j < rows[i].n; j++) {
			struct run *run = make(&rows[i].events[j], j);

			run_list_add(&list, run);
			run_unref(run);
		}
		for (unsigned p = 0; p < PHASE_COUNT && !parked; p++)
			parked = run_list_parked(&list, p, &no_folder);
		if (!parked != !rows[i].parked ||
		    (parked && strcmp(parked->id, rows[i].parked) != 0))
			fail_msg("row %zu: %s", i, parked ? parked->id : "none");
		run_list_clear(&list);
	}
}

/* Runs of the journal come where they belong, and are no second ones. */
static void
test_order_and_find(void **state)
{
	static const unsigned known[] = { 5, 4, 7, 7, 6, 4 };
	struct run_list list = { 0 };
	struct event event = { .outcome = RUN_SUCCEEDED };
	struct run *ours = make(&event, 5);

	(void)state;
	run_list_add(&list, ours);
	for (size_t i = 0; i < ARRAY_SIZE(known); i++)
		run_list_add_known(&list, make(&event, known[i]));
	assert_int_equal(list.n, 4);
	for (unsigned i = 0; i < 4; i++) {
		struct run *run = make(&event, 7 - i);

		assert_string_equal(list.runs[i]->id, run->id);
		run_unref(run);
	}
	assert_ptr_equal(run_list_find(&list, "run-5"), ours);
	assert_null(run_list_find(&list, "run-8"));
	assert_string_equal(run_list_last_finished(&list)->id, "run-7");
	run_unref(ours);
	run_list_clear(&list);
	assert_null(run_list_find(&list, "run-5"));
	assert_null(run_list_last_finished(&list));
}

/* What another did about a failure of ours counts, and the other way round. */
static void
test_parked_by_another(void **state)
{
	struct event failure = { RUN_FAILED, .failed = "b" };
	struct event repair = { RUN_SUCCEEDED, PLAN_REPAIR, .repaired = "b" };
	struct run_list list = { 0 };
	struct run *ours = make(&failure, 5);

	(void)state;
	run_list_add(&list, ours);
	run_list_add_known(&list, make(&repair, 4));
	assert_ptr_equal(run_list_parked(&list, PHASE_SCHEMA, &no_folder), ours);
	run_list_add_known(&list, make(&repair, 6));
	assert_null(run_list_parked(&list, PHASE_SCHEMA, &no_folder));
	run_list_add_known(&list, make(&failure, 7));
	assert_string_equal(
	    run_list_parked(&list, PHASE_SCHEMA, &no_folder)->id, "run-7");
	run_unref(ours);
	run_list_clear(&list);
}

/* It had another file of that name: what failed of ours is what is asked about. */
static void
test_parked_with_other_content(void **state)
{
	struct event failure = { RUN_FAILED, .failed = "b" };
	struct migration file = { .id = "b", .file = "b.sql", .checksum = "sum" };
	struct migration *files[] = { &file };
	const struct folder folder = { .migrations = files, .n_migrations = 1 };
	struct run_list list = { 0 };
	struct run *other = make(&failure, 6);

	(void)state;
	snprintf(other->failed_checksum, sizeof(other->failed_checksum), "other");
	run_list_add_known(&list, make(&failure, 5));
	run_list_add_known(&list, other);
	assert_string_equal(run_list_parked(&list, PHASE_SCHEMA, &folder)->id, "run-5");
	assert_string_equal(
	    run_list_parked(&list, PHASE_SCHEMA, &no_folder)->id, "run-6");
	/* a question is asked whatever the file says now */
	other->in_doubt = true;
	assert_string_equal(run_list_parked(&list, PHASE_SCHEMA, &folder)->id, "run-6");
	run_list_clear(&list);
}

/* It can be asked about and cancelled, however many others there are. */
static void
test_the_one_in_progress_stays(void **state)
{
	struct run_list list = { 0 };
	struct event event = { .outcome = RUN_SUCCEEDED };
	struct run *ours = make(&event, 1000);

	(void)state;
	ours->state = RUN_PART;
	run_list_add(&list, ours);
	for (unsigned i = 1001; i <= 1001 + BOUND_RUNS_KEPT; i++)
		run_list_add_known(&list, make(&event, i));
	assert_int_equal(list.n, BOUND_RUNS_KEPT);
	assert_ptr_equal(run_list_find(&list, "run-1000"), ours);

	/* of another database from here on: the others are gone */
	run_list_forget(&list);
	assert_int_equal(list.n, 1);
	assert_ptr_equal(list.runs[0], ours);
	run_unref(ours);
	run_list_clear(&list);
}

/* One that starts now is the newest, whatever its clock says. */
static void
test_a_clock_that_went_back(void **state)
{
	static const struct run_request request = { 0 };
	struct run_list list = { 0 };

	(void)state;
	for (int64_t now_s = 3000000; now_s > 0; now_s -= 1000000) {
		struct run *run = run_new(&request, "default", now_s * 1000000, 0);

		run_list_add(&list, run);
		assert_ptr_equal(list.runs[0], run);
		assert_true(list.n == 1 || strcmp(run->id, list.runs[1]->id) > 0);
		assert_true(run->started_at_us == now_s * 1000000);
		run_unref(run);
	}
	run_list_clear(&list);
}

/* One that somebody wrote by hand, behind which no id can be: it is no second one either. */
static void
test_an_id_made_by_hand(void **state)
{
	static const struct run_request request = { 0 };
	struct run_list list = { 0 };

	(void)state;
	for (int i = 0; i < 3; i++) {
		struct run *ours = run_new(&request, "default", 1000000 + i, 0);
		struct run *odd = run_new(&request, "default", 1, 0);

		snprintf(
		    odd->id, sizeof(odd->id), "ffffffff-ffff-7fff-bfff-ffffffffffff");
		run_list_add_known(&list, odd);
		run_list_add(&list, ours);
		assert_int_equal(list.n, 2 + i);
		assert_ptr_equal(list.runs[0], ours);
		run_unref(ours);
	}
	run_list_clear(&list);
}

static void
test_the_oldest_go(void **state)
{
	struct run_list list = { 0 };
	struct event event = { .outcome = RUN_SUCCEEDED };

	(void)state;
	for (unsigned i = 1000; i <= 1000 + BOUND_RUNS_KEPT; i++) {
		struct run *run = make(&event, i);

		run_list_add(&list, run);
		run_unref(run);
	}
	run_list_add_known(&list, make(&event, 1000));
	assert_int_equal(list.n, BOUND_RUNS_KEPT);
	assert_null(run_list_find(&list, "run-1000"));
	assert_non_null(run_list_find(&list, "run-1001"));
	run_list_add_known(&list, make(&event, 9999));
	assert_int_equal(list.n, BOUND_RUNS_KEPT);
	assert_non_null(run_list_find(&list, "run-9999"));
	assert_null(run_list_find(&list, "run-1001"));
	run_list_clear(&list);
}

static void
test_rolled_back(void **state)
{
	static const struct {
		struct event events[3];
		unsigned n;
		bool rolled_back; /* "a", with the content "sum" */
	} rows[] = {
		{ .n = 0 },
		{ { { RUN_SUCCEEDED, .applied = "a" } }, 1, false },
		{ { { RUN_SUCCEEDED, PLAN_ROLLBACK, .applied = "a" } }, 1, true },
		/* it failed on the way, behind this one */
		{ { { RUN_FAILED, PLAN_ROLLBACK, .applied = "a" } }, 1, true },
		{ { { RUN_SUCCEEDED, PLAN_ROLLBACK, .applied = "b" } }, 1, false },
		{ { { RUN_SUCCEEDED, PLAN_ROLLBACK, .applied = "a" },
		      { RUN_SUCCEEDED, .applied = "b" } },
		    2, true },
		{ { { RUN_SUCCEEDED, PLAN_ROLLBACK, .applied = "a" },
		      { RUN_SUCCEEDED, .applied = "a" } },
		    2, false },
		/* a file of that name that is no migration of the schema */
		{ { { RUN_SUCCEEDED, PLAN_ROLLBACK, .applied = "a" },
		      { RUN_SUCCEEDED, .applied = "a", .phase = PHASE_SEEDS } },
		    2, true },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct run_list list = { .n = 0 };

		for (unsigned n = 0; n < rows[i].n; n++) {
			struct run *run = make(&rows[i].events[n], n);

			run_list_add(&list, run);
			run_unref(run);
		}
		assert_int_equal(run_list_has_rollback(&list),
		    rows[i].n > 0 && rows[i].events[0].operation == PLAN_ROLLBACK);
		if ((run_list_rolled_back(&list, "a", "sum") != NULL) !=
		    rows[i].rolled_back)
			fail_msg("row %zu", i);
		assert_null(run_list_rolled_back(&list, "a", "another"));
		run_list_clear(&list);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_parked),
		cmocka_unit_test(test_rolled_back),
		cmocka_unit_test(test_order_and_find),
		cmocka_unit_test(test_parked_by_another),
		cmocka_unit_test(test_parked_with_other_content),
		cmocka_unit_test(test_the_one_in_progress_stays),
		cmocka_unit_test(test_a_clock_that_went_back),
		cmocka_unit_test(test_an_id_made_by_hand),
		cmocka_unit_test(test_the_oldest_go),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
