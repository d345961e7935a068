/* SPDX-License-Identifier: PostgreSQL */
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/mem.h"
#include "core/run.h"

static struct run *
new_run(void)
{
	static const struct run_request request = { .requested_by = "test" };

	return run_new(&request, "default", 1000, 50);
}

static int
set_up(void **state)
{
	*state = new_run();
	return 0;
}

static int
tear_down(void **state)
{
	run_unref(*state);
	return 0;
}

/* ---- the table ---- */

static const char golden_table[] =
    "new  ok: connect  fail: done  waiting to start\n"
    "connect  ok: probe  fail: done  connecting to the database\n"
    "probe  ok: lock  fail: done  looking what server this is, and "
    "whether it can be written to\n"
    "lock  ok: phase, prepare  fail: done  waiting for another "
    "migrationd to finish\n"
    "phase  ok: connect, prepare, journal  fail: journal  going on with the "
    "next phase\n"
    "prepare  ok: history  fail: phase  creating the tracking table, "
    "unless it is there\n"
    "history  ok: plan  fail: phase  reading what is applied already\n"
    "plan  ok: phase, upgrade, ahead, hook, repair, resume, batch, begin, note  fail: "
    "phase  deciding what has to run\n"
    "upgrade  ok: prepare  fail: rollback  bringing the tracking table up "
    "to its tool's new version\n"
    "ahead  ok: hook, resume, batch, begin  fail: phase  reading what is applied of the "
    "phases behind this one\n"
    "hook  ok: connect, resume, batch, begin  fail: journal  waiting for the hook or the "
    "verification that has to succeed first\n"
    "repair  ok: phase, begin  fail: phase  noting in the journal what a "
    "person decided\n"
    "resume  ok: connect, begin, intent, outcome  fail: note  reading what has run of a "
    "migration that runs in segments\n"
    "batch  ok: begin  fail: note  reading how far a migration that runs "
    "in batches has come\n"
    "begin  ok: part, record  fail: rollback  opening a transaction "
    "for the next migration\n"
    "part  ok: part, mark, record  fail: rollback  running the SQL of "
    "a migration\n"
    "mark  ok: commit  fail: rollback  noting in the journal which "
    "statements this transaction did\n"
    "record  ok: begin, commit  fail: rollback  writing the "
    "migration's row into the tracking table\n"
    "commit  ok: connect, phase, resume, batch, begin, pace, intent  fail: "
    "rollback  committing, which keeps the migration and its row\n"
    "pace  ok: connect, begin  fail: note  waiting between two batches\n"
    "intent  ok: alone  fail: note  noting in the journal that a "
    "statement is about to run alone\n"
    "alone  ok: outcome  fail: note  running a statement that cannot "
    "run in a transaction\n"
    "outcome  ok: connect, begin, intent  fail: note  looking what the "
    "statement left, and noting it done\n"
    "retry  ok: begin  fail: note  waiting for others to let go of "
    "what the migration needs\n"
    "rollback  ok: history, retry, note  fail: note  undoing what was "
    "not committed\n"
    "note  ok: connect, phase, resume, batch, begin  fail: phase  noting the failure, "
    "where the tracking table keeps failures\n"
    "journal  ok: unlock  fail: unlock  writing the run into the journal\n"
    "unlock  ok: done  fail: done  giving the lock back\n"
    "done  ok: -  fail: -  finished\n";

static void
test_table_is_as_documented(void **state)
{
	char *dump = run_table_dump(*state);

	assert_string_equal(dump, golden_table);
}

static enum run_state
state_of_name(const char *name, size_t len)
{
	for (unsigned i = 0; i < RUN_STATE_COUNT; i++) {
		const char *known = run_state_name(i);

		if (strlen(known) == len && memcmp(known, name, len) == 0)
			return i;
	}
	fail_msg("no state %.*s", (int)len, name);
	return RUN_STATE_COUNT;
}

/* The states behind "ok: " in the state's line of the dump, as bits. */
static unsigned
next_of(const char *dump, enum run_state state)
{
	const char *at = dump;
	unsigned bits = 0;

	for (unsigned i = 0; i < state; i++)
		at = strchr(at, '\n') + 1;
	at = strstr(at, "ok: ") + 4;
	while (*at != ' ' && *at != '-') {
		size_t len = strcspn(at, ", ");

		bits |= 1u << state_of_name(at, len);
		at += len;
		at += *at == ',' ? 2 : 0;
	}
	return bits;
}

static void
test_every_state_is_reached_and_ends(void **state)
{
	const char *dump = run_table_dump(*state);
	unsigned seen = 1u << RUN_NEW, before = 0;

	while (seen != before) {
		before = seen;
		for (unsigned i = 0; i < RUN_STATE_COUNT; i++) {
			if (before & (1u << i))
				seen |= next_of(dump, i) | 1u << run_on_fail(i);
		}
	}
	assert_int_equal(seen, (1u << RUN_STATE_COUNT) - 1);

	/* failure after failure comes to DONE, by way of UNLOCK once there is a lock */
	for (unsigned i = 0; i < RUN_STATE_COUNT; i++) {
		enum run_state at = i;
		unsigned steps = 0;
		bool unlocked = false;

		for (; at != RUN_DONE && steps < RUN_STATE_COUNT; steps++) {
			unlocked = unlocked || at == RUN_UNLOCK;
			at = run_on_fail(at);
		}
		assert_int_equal(at, RUN_DONE);
		assert_int_equal(unlocked, i > RUN_LOCK && i < RUN_DONE);
	}
}

static void
test_every_state_has_words(void **state)
{
	(void)state;
	for (unsigned i = 0; i < RUN_STATE_COUNT; i++) {
		assert_true(strlen(run_state_name(i)) > 0);
		assert_true(strlen(run_state_sentence(i)) > 0);
		for (unsigned j = 0; j < i; j++) {
			assert_string_not_equal(run_state_name(i), run_state_name(j));
			assert_string_not_equal(
			    run_state_sentence(i), run_state_sentence(j));
		}
	}
}

static void
test_names(void **state)
{
	(void)state;
	assert_string_equal(run_state_name(RUN_LOCK), "lock");
	assert_string_equal(run_outcome_name(RUN_IN_PROGRESS), "in_progress");
	assert_string_equal(run_outcome_name(RUN_SUCCEEDED), "succeeded");
	assert_string_equal(run_outcome_name(RUN_FAILED), "failed");
	assert_string_equal(run_outcome_name(RUN_REFUSED), "refused");
	assert_string_equal(run_outcome_name(RUN_CANCELLED), "cancelled");
	assert_string_equal(run_operation_name(PLAN_APPLY), "apply");
	assert_string_equal(run_operation_name(PLAN_BASELINE), "baseline");
	assert_string_equal(run_operation_name(PLAN_REPAIR), "repair");
	assert_string_equal(run_operation_name(PLAN_ROLLBACK), "rollback");
}

/* ---- steps ---- */

/*
 * Whether a run gets from one state to another, tried in a child, which the
 * assertion ends by SIGABRT; else it ends itself by another signal. It must not
 * exit: leak checkers would take what it has from its parent for lost.
 */
static bool
may_step(enum run_state from, enum run_state to)
{
	pid_t pid = fork();
	int status;

	if (pid == 0) {
		struct run *run = new_run();

		setrlimit(RLIMIT_CORE, &(struct rlimit){ 0, 0 });
		close(STDERR_FILENO);
		run->state = from;
		run_set_state(run, to);
		raise(run->state == to ? SIGUSR1 : SIGKILL);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFSIGNALED(status));
	assert_true(WTERMSIG(status) == SIGABRT || WTERMSIG(status) == SIGUSR1);
	return WTERMSIG(status) == SIGUSR1;
}

static void
test_only_what_the_table_allows(void **state)
{
	const char *dump = run_table_dump(*state);

	for (unsigned from = 0; from < RUN_STATE_COUNT; from++) {
		unsigned allowed = next_of(dump, from) | 1u << run_on_fail(from);

		for (unsigned to = 0; to < RUN_STATE_COUNT; to++) {
			bool expected = from != RUN_DONE &&
			    ((allowed & 1u << to) != 0 || to == RUN_DONE);

			if (may_step(from, to) != expected)
				fail_msg(
				    "%s to %s", run_state_name(from), run_state_name(to));
		}
	}
}

static void
test_a_good_run(void **state)
{
	static const enum run_state way[] = {
		RUN_CONNECT,
		RUN_PROBE,
		RUN_LOCK,
		RUN_PHASE,
		RUN_PREPARE,
		RUN_HISTORY,
		RUN_PLAN,
		RUN_BEGIN,
		RUN_PART,
		RUN_PART,
		RUN_RECORD,
		RUN_BEGIN,
		RUN_PART,
		RUN_RECORD,
		RUN_COMMIT,
		RUN_PHASE,
		RUN_JOURNAL,
		RUN_UNLOCK,
		RUN_DONE,
	};
	struct run *run = *state;

	for (size_t i = 0; i < ARRAY_SIZE(way); i++) {
		assert_false(run_is_done(run));
		run_set_state(run, way[i]);
	}
	assert_true(run_is_done(run));
}

/* ---- what it holds ---- */

static void
test_new(void **state)
{
	char up_to[] = "0007_x", by[] = "once", target[] = "main", action[] = "retry";
	struct run_request request = {
		.operation = PLAN_BASELINE,
		.up_to = up_to,
		.force = true,
		.action = action,
		.requested_by = by,
	};
	struct run *run = run_new(&request, target, 1700000000000000, 99);
	struct run *other = *state;

	up_to[0] = by[0] = target[0] = action[0] = '!';
	assert_string_equal(run->action, "retry");
	assert_string_equal(run->up_to, "0007_x");
	assert_string_equal(run->requested_by, "once");
	assert_string_equal(run->target, "main");
	assert_int_equal(run->operation, PLAN_BASELINE);
	assert_true(run->force);
	assert_int_equal(run->started_at_us, 1700000000000000);
	assert_int_equal(run->started_mono_us, 99);
	assert_int_equal(run->state, RUN_NEW);
	assert_int_equal(run->outcome, RUN_IN_PROGRESS);
	assert_int_equal(strlen(run->id), UUID_TEXT - 1);
	assert_string_not_equal(run->id, other->id);
	assert_null(other->up_to);
	run_unref(run);
}

static void
test_references(void **state)
{
	struct run *run = new_run();

	(void)state;
	assert_ptr_equal(run_ref(run), run);
	run_unref(run);
	assert_string_equal(run->target, "default");
	run_unref(run);
	run_unref(NULL);
}

static void
test_applied(void **state)
{
	char id[] = "0001_a", version[] = "0001";
	struct migration m = { .id = id, .version = version };
	struct run *run = *state;

	run_begin_migration(run, &m, 70);
	assert_string_equal(run->current, "0001_a");
	assert_int_equal(run->current_mono_us, 70);
	run_begin_migration(run, &m, 80);
	run_add_applied(run, &m, 30);
	assert_null(run->current);
	run_add_applied(run, &m, 40);

	/* the folder may go, the run stays */
	id[0] = version[0] = '!';
	assert_int_equal(run->n_applied, 2);
	assert_string_equal(run->applied[0].id, "0001_a");
	assert_string_equal(run->applied[0].version, "0001");
	assert_int_equal(run->applied[0].duration_us, 30);
	assert_int_equal(run->applied[1].duration_us, 40);
}

static void
test_phases(void **state)
{
	struct migration m = { .id = "2026-01-02_a", .version = "2026-01-02_a" };
	struct run *run = *state;
	struct run_phase *data = &run->phases[PHASE_DATA];

	run_begin_phase(run, PHASE_SCHEMA);
	run_place_error(run);
	assert_null(run->err.phase);
	err_set(&run->err, CAT_SQL_ERROR, "no table");
	run_place_error(run);
	assert_null(run->err.phase);
	err_clear(&run->err);
	run_plan_phase(run, 1);
	run_add_applied(run, &m, 5);
	assert_true(run_has_done(run, m.id));
	run_end_phase(run, false);
	assert_int_equal(run->phases[PHASE_SCHEMA].outcome, RUN_SUCCEEDED);
	assert_int_equal(run->phases[PHASE_SCHEMA].n_applied, 1);
	assert_false(data->begun);

	run_begin_phase(run, PHASE_DATA);
	assert_false(run_has_done(run, m.id));
	run_plan_phase(run, 20);
	assert_int_equal(run->n_planned, 21);
	for (unsigned i = 0; i < 18; i++) {
		run_begin_migration(run, &m, 1);
		err_set(&run->err, CAT_SQL_ERROR, "no table");
		snprintf(run->err.migration, sizeof(run->err.migration), "b%u", i);
		run_place_error(run);
		assert_string_equal(run->err.phase, "data");
		run_forgive(run, true);
		assert_false(err_is_set(&run->err));
		assert_null(run->current);
	}
	assert_true(run_has_done(run, "b3"));
	assert_int_equal(run->n_failed, 18);
	assert_int_equal(data->n_failed, 18);
	assert_int_equal(data->n_failures, RUN_FAILURES);
	assert_int_equal(run->n_warnings, RUN_FAILURES);
	/* read again, after a connection that was lost */
	run_plan_phase(run, 2);
	assert_int_equal(run->n_planned, 21);
	run_end_phase(run, false);
	assert_int_equal(data->outcome, RUN_FAILED);

	run_begin_phase(run, PHASE_SEEDS);
	err_set(&run->err, CAT_SQL_ERROR, "no table");
	run_end_phase(run, true);
	assert_int_equal(run->phases[PHASE_SEEDS].outcome, RUN_REFUSED);
	assert_int_equal(run->applied[0].phase, PHASE_SCHEMA);
}

/* A phase that could not even begin with its migrations. */
static void
test_phase_fails_as_a_whole(void **state)
{
	struct run *run = *state;

	run_begin_phase(run, PHASE_DATA);
	err_set(&run->err, CAT_PERMISSION_DENIED, "no right");
	run_forgive(run, false);
	run_end_phase(run, false);
	assert_int_equal(run->phases[PHASE_DATA].outcome, RUN_FAILED);
	assert_int_equal(run->n_failed, 0);
}

/* The connection was lost in the middle of it. */
static void
test_phase_is_cut_short(void **state)
{
	struct run *run = *state;

	run_begin_phase(run, PHASE_SCHEMA);
	err_set(&run->err, CAT_NETWORK_ERROR, "gone");
	run_conclude(run, false, 2000, 90);
	assert_int_equal(run->phases[PHASE_SCHEMA].outcome, RUN_FAILED);
}

static void
test_warnings(void **state)
{
	struct err first = { 0 }, second = { 0 };
	struct run *run = *state;

	err_set(&first, CAT_SQL_ERROR, "odd");
	err_where(&first, "0001_a.sql", 7);
	err_set(&second, CAT_SQL_ERROR, "even");
	run_add_warning(run, &first);
	run_add_warning(run, &second);
	assert_int_equal(run->n_warnings, 2);
	assert_string_equal(run->warnings[0], "0001_a.sql:7: odd");
	assert_string_equal(run->warnings[1], "even");
}

/* They outlive what they were compared from. */
static void
test_differences(void **state)
{
	char line[] = "table a is missing in the database";
	char *lines[] = { line };
	const struct drift drift = { .differences = lines, .n = 1, .n_more = 2 };
	struct run *run = *state;

	run_set_differences(run, &drift);
	line[0] = 'x';
	assert_int_equal(run->n_differences, 1);
	assert_int_equal(run->n_more_differences, 2);
	assert_string_equal(run->differences[0], "table a is missing in the database");
}

static void
test_outcomes(void **state)
{
	static const struct {
		enum category category;
		bool refused;
		enum run_outcome outcome;
	} rows[] = {
		{ CAT_NONE, false, RUN_SUCCEEDED },
		{ CAT_SQL_ERROR, false, RUN_FAILED },
		{ CAT_SQL_ERROR, true, RUN_REFUSED },
		{ CAT_OUT_OF_ORDER, true, RUN_REFUSED },
		{ CAT_CANCELLED, false, RUN_CANCELLED },
		{ CAT_CANCELLED, true, RUN_CANCELLED },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct run *run = new_run();
		struct migration m = { .id = "a", .version = "1" };

		run_begin_migration(run, &m, 60);
		run->err.category = rows[i].category;
		run_conclude(run, rows[i].refused, 2000, 90);
		assert_int_equal(run->outcome, rows[i].outcome);
		assert_int_equal(run->finished_at_us, 2000);
		assert_int_equal(run->duration_us, 40);
		assert_null(run->current);

		/* the first conclusion stays, whatever goes wrong behind it */
		run->err.category = CAT_NETWORK_ERROR;
		run_conclude(run, false, 3000, 100);
		assert_int_equal(run->outcome, rows[i].outcome);
		assert_int_equal(run->duration_us, 40);
		run_unref(run);
	}
}

static void
test_is_for(void **state UNUSED)
{
	const struct run_request all = { .operation = PLAN_APPLY };
	const struct run_request some = { .operation = PLAN_APPLY, .up_to = "0002" };
	const struct run_request baseline = { .operation = PLAN_BASELINE,
		.up_to = "0002" };
	const struct run_request forced = {
		.operation = PLAN_BASELINE, .up_to = "0002", .force = true
	};
	const struct run_request retry = {
		.operation = PLAN_REPAIR, .up_to = "0002", .action = "retry"
	};
	const struct run_request applied = {
		.operation = PLAN_REPAIR, .up_to = "0002", .action = "applied"
	};
	const struct run_request verified = { .operation = PLAN_BASELINE,
		.verify = true };
	const struct run_request guard = { .operation = PLAN_REPAIR,
		.action = "remove-guard" };
	const struct run_request data = { .operation = PLAN_APPLY,
		.phases = PHASE_BIT(PHASE_DATA) };
	const struct run_request *const requests[] = { &all, &data, &some, &baseline,
		&forced, &retry, &applied, &guard, &verified };

	for (size_t i = 0; i < ARRAY_SIZE(requests); i++) {
		struct run *run = run_new(requests[i], "default", 1, 1);

		for (size_t j = 0; j < ARRAY_SIZE(requests); j++)
			assert_int_equal(run_is_for(run, requests[j]), i == j);
		run_unref(run);
	}
}

int
main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_is_for),
		TEST(test_table_is_as_documented),
		TEST(test_every_state_is_reached_and_ends),
		TEST(test_every_state_has_words),
		TEST(test_names),
		TEST(test_only_what_the_table_allows),
		TEST(test_a_good_run),
		TEST(test_new),
		TEST(test_references),
		TEST(test_applied),
		TEST(test_phases),
		TEST(test_phase_fails_as_a_whole),
		TEST(test_phase_is_cut_short),
		TEST(test_warnings),
		TEST(test_differences),
		TEST(test_outcomes),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
