/* SPDX-License-Identifier: PostgreSQL */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "base/mem.h"
#include "core/status.h"

/* A target with three migrations, reachable, and what is applied of them. */
struct world {
	struct folder folder;
	struct migration migrations[3];
	struct migration *list[3];
	struct history *history;
	struct plan_input input;
	struct status status;
	char sentence[2048];
	char advice[2048];
};

static int
set_up(void **state)
{
	static const char *const ids[] = { "0001_a", "0002_b", "0003_c" };
	static const char *const files[] = { "0001_a.sql", "0002_b.sql", "0003_c.sql" };
	static const char *const versions[] = { "0001", "0002", "0003" };
	struct world *world = mem_zero(NULL, struct world);

	for (size_t i = 0; i < ARRAY_SIZE(ids); i++) {
		world->migrations[i] = (struct migration){
			.id = ids[i],
			.file = files[i],
			.version = versions[i],
			.name = ids[i],
			.order = (int64_t)i + 1,
			.position = i,
			.text = "",
			.checksum = "same",
		};
		world->list[i] = &world->migrations[i];
	}
	world->folder.migrations = world->list;
	world->folder.n_migrations = ARRAY_SIZE(ids);
	world->history = history_new(world, HISTORY_BY_VERSION);
	world->input.folder = &world->folder;
	world->input.history = world->history;
	world->status.target = "default";
	world->status.folder = &world->folder;
	world->status.database.looked = true;
	world->status.database.reachable = true;
	world->status.database.refreshed_at_us = 1;
	*state = world;
	return 0;
}

static int
tear_down(void **state)
{
	talloc_free(*state);
	return 0;
}

static void
record(struct world *world, const char *key, const char *checksum)
{
	history_add(world->history,
	    &(struct history_row){
		.key = key,
		.checksum = checksum,
		.has_order = true,
		.order = key[3] - '0',
	    });
}

static void
record_all(struct world *world)
{
	record(world, "0001", "same");
	record(world, "0002", "same");
	record(world, "0003", "same");
}

static void
check(struct world *world, enum verdict verdict, const char *sentence, const char *advice)
{
	world->status.plan = plan_build(world, &world->input);
	assert_string_equal(
	    verdict_name(status_verdict(&world->status)), verdict_name(verdict));
	assert_ptr_equal(
	    status_sentence(&world->status, world->sentence, sizeof(world->sentence)),
	    world->sentence);
	assert_string_equal(world->sentence, sentence);
	assert_ptr_equal(
	    status_advice(&world->status, world->advice, sizeof(world->advice)),
	    world->advice);
	assert_string_equal(world->advice, advice);
}

/* How many there are to send, and the first. */
static void
check_requests(struct world *world, size_t n, const char *path, const char *action)
{
	struct status_request requests[STATUS_REQUESTS];

	assert_int_equal(status_requests(&world->status, requests), n);
	if (n == 0)
		return;
	assert_string_equal(requests[0].path, path);
	assert_string_equal(requests[0].action ? requests[0].action : "", action);
	assert_int_equal(requests[0].when != NULL, action[0] != '\0');
}

static void
test_names(void **state)
{
	static const char *const names[VERDICT_COUNT] = {
		[VERDICT_CURRENT] = "current",
		[VERDICT_INCOMPLETE] = "incomplete",
		[VERDICT_PENDING] = "pending",
		[VERDICT_FAILED] = "failed",
		[VERDICT_IN_DOUBT] = "in_doubt",
		[VERDICT_REFUSED] = "refused",
		[VERDICT_DRIFT] = "drift",
		[VERDICT_UNREACHABLE] = "unreachable",
		[VERDICT_INVALID] = "invalid",
	};

	(void)state;
	for (unsigned i = 0; i < VERDICT_COUNT; i++)
		assert_string_equal(verdict_name(i), names[i]);
}

/* ---- the phases behind the schema ---- */

/* A phase of one file, and what its table says of it. */
static void
add_phase(struct world *world, enum phase phase, const char *id, bool recorded,
    const char *error)
{
	struct folder *folder = mem_zero(world, struct folder);
	struct migration *m = mem_zero(folder, struct migration);
	struct history *history = history_new(world, HISTORY_BY_FILE);
	struct plan_input input = { .folder = folder, .history = history };

	m->id = id;
	m->version = id;
	m->name = id;
	m->file = mem_printf(m, "%s.sql", id);
	m->text = "";
	folder->migrations = mem_array(folder, struct migration *, 1);
	folder->migrations[folder->n_migrations++] = m;
	if (recorded)
		history_add(history,
		    &(struct history_row){
			.key = id, .failed = error != NULL, .error = error });
	world->status.phases[phase].folder = folder;
	world->status.phases[phase].plan = plan_build(world, &input);
}

static void
test_phases(void **state)
{
	struct world *world = *state;
	struct err err = { 0 };

	record(world, "0001", "same");
	record(world, "0002", "same");
	record(world, "0003", "same");
	add_phase(world, PHASE_DATA, "2026-01-02_a", true, NULL);
	check(world, VERDICT_CURRENT, "3 migrations applied, newest is 0003_c", "");
	assert_ptr_equal(status_find(&world->status, "2026-01-02_a")->migration,
	    world->status.phases[PHASE_DATA].folder->migrations[0]);
	assert_string_equal(status_find(&world->status, "0002")->id, "0002_b");
	assert_null(status_find(&world->status, "0004"));

	add_phase(world, PHASE_DATA, "2026-01-02_a", true, "no table");
	check(world, VERDICT_INCOMPLETE,
	    "the schema is current; data: 2026-01-02_a failed: no table",
	    "mend 2026-01-02_a.sql, then POST /apply");
	add_phase(world, PHASE_DATA, "2026-01-02_a", false, NULL);
	check(world, VERDICT_INCOMPLETE,
	    "the schema is current; data: 1 migration pending, next is 2026-01-02_a",
	    "POST /apply runs them; GET /plan shows them first");
	assert_true(verdict_is_current(VERDICT_INCOMPLETE));

	err_set(&err, CAT_PERMISSION_DENIED, "permission denied for table d");
	world->status.phases[PHASE_DATA].unread = &err;
	check(world, VERDICT_INCOMPLETE,
	    "the schema is current; data: the tracking table cannot be read: "
	    "permission denied for table d",
	    "see that this role may read the tracking table; it is tried again by itself");

	/* of more weight than what a lenient phase is at */
	add_phase(world, PHASE_SEEDS, "roles", false, NULL);
	check(world, VERDICT_PENDING, "seeds: 1 migration pending, next is roles",
	    "POST /apply runs them; GET /plan shows them first");
	assert_false(verdict_is_current(VERDICT_PENDING));
}

/* What is to be sent is what helps the phase that the advice speaks of. */
static void
test_requests_of_a_phase(void **state)
{
	struct world *world = *state;
	struct migration *file;
	struct err err = { 0 };

	record_all(world);
	add_phase(world, PHASE_DATA, "2026-01-02_a", true, "no table");
	check(world, VERDICT_INCOMPLETE,
	    "the schema is current; data: 2026-01-02_a failed: no table",
	    "mend 2026-01-02_a.sql, then POST /apply");
	check_requests(world, 1, "/apply", "");

	add_phase(world, PHASE_DATA, "2026-01-02_a", false, NULL);
	world->status.plan = plan_build(world, &world->input);
	check_requests(world, 1, "/apply", "");

	err_set(&err, CAT_SQL_SYNTAX_ERROR, "conflict marker");
	err_where(&err, "2026-01-02_a.sql", 3);
	file = world->status.phases[PHASE_DATA].folder->migrations[0];
	migration_set_problem(file, world, &err);
	world->status.phases[PHASE_DATA].plan = plan_build(world,
	    &(struct plan_input){ .folder = world->status.phases[PHASE_DATA].folder,
		.history = history_new(world, HISTORY_BY_FILE) });
	check(world, VERDICT_INCOMPLETE,
	    "the schema is current; data: the folder is not right: "
	    "2026-01-02_a.sql:3: conflict marker",
	    "mend the file; the folder is read again by itself");
	check_requests(world, 0, "", "");
}

/* What a lenient phase left out may ask, too: to apply it again would ask again. */
static void
test_question_of_a_lenient_phase(void **state)
{
	static const char id[] = "2026-01-02_a";
	static const char mend[] = "mend 2026-01-02_a.sql, then POST /apply";
	static const char sentence[] =
	    "the schema is current; data: 2026-01-02_a failed: did it run?";
	struct world *world = *state;
	struct err failures[2] = { { .migration = "2026-01-01_b", .answers = "pending" },
		{ .migration = "2026-01-02_a" } };
	struct run of_data = { .id = "0190", .state = RUN_DONE };
	struct run later = { .id = "0191",
		.state = RUN_DONE,
		.operation = PLAN_REPAIR,
		.outcome = RUN_SUCCEEDED,
		.phase = PHASE_SCHEMA,
		.up_to = id };
	struct run *runs[] = { &later, &of_data };

	of_data.phases[PHASE_DATA].failures = failures;
	of_data.phases[PHASE_DATA].n_failures = ARRAY_SIZE(failures);
	record_all(world);
	add_phase(world, PHASE_DATA, id, true, "did it run?");
	world->status.runs = runs;
	world->status.n_runs = ARRAY_SIZE(runs);
	check(world, VERDICT_INCOMPLETE, sentence, mend);
	check_requests(world, 1, "/apply", "");

	snprintf(failures[1].answers, sizeof(failures[1].answers), "applied retry");
	err_hint(&failures[1], "look, then answer");
	check(world, VERDICT_INCOMPLETE, sentence, "look, then answer");
	check_requests(world, 2, "/repair", "applied");

	later.phase = PHASE_DATA; /* a person has answered */
	check(world, VERDICT_INCOMPLETE, sentence, mend);
	check_requests(world, 1, "/apply", "");
}

static void
test_current(void **state)
{
	struct world *world = *state;

	record_all(world);
	check(world, VERDICT_CURRENT, "3 migrations applied, newest is 0003_c", "");
	check_requests(world, 0, "", "");

	history_mark_baseline(world->history, "0003");
	check(world, VERDICT_CURRENT, "3 migrations applied, newest is 0003_c", "");

	/* a database ahead of an older folder */
	record(world, "0009", "other");
	world->folder.n_migrations = 1;
	check(world, VERDICT_CURRENT,
	    "1 migration applied, newest is 0001_a; 3 recorded without a file", "");
}

static void
test_current_with_some_left_out(void **state)
{
	struct world *world = *state;

	world->input.policy.out_of_order = OUT_OF_ORDER_SKIP;
	record(world, "0003", "same");
	record(world, "0009", "other");
	check(world, VERDICT_CURRENT,
	    "1 migration applied, newest is 0003_c; 2 left out as out of order; "
	    "1 recorded without a file",
	    "");
}

static void
test_current_without_migrations(void **state)
{
	struct world *world = *state;

	world->folder.n_migrations = 0;
	check(
	    world, VERDICT_CURRENT, "nothing to apply: no migrations in the folder", "");
}

static void
test_pending(void **state)
{
	static const char advice[] = "POST /apply runs them; GET /plan shows them first";
	static const struct run cancelled = { .state = RUN_DONE,
		.outcome = RUN_CANCELLED };
	struct run failed = { .state = RUN_DONE, .outcome = RUN_FAILED };
	struct world *world = *state;

	record(world, "0001", "same");
	check(world, VERDICT_PENDING, "2 migrations pending, next is 0002_b", advice);
	check_requests(world, 1, "/apply", "");

	record(world, "0002", "same");
	check(world, VERDICT_PENDING, "1 migration pending, next is 0003_c", advice);

	/* another daemon is at it */
	world->status.lock = (struct lock_facts){ .held = true, .holder = "pid 7" };
	check(world, VERDICT_PENDING, "1 migration pending, next is 0003_c",
	    "pid 7 has the lock and may be applying them: GET /wait?for=current waits "
	    "for that; POST /apply waits for the lock and does what is left then");
	world->status.lock.held = false;

	world->status.last_run = &cancelled;
	check(world, VERDICT_PENDING, "1 migration pending, next is 0003_c",
	    "the last run was cancelled: POST /apply goes on from here; "
	    "GET /plan shows what is left");

	/* it came to no migration: the same again would end the same way */
	world->status.last_run = &failed;
	check(world, VERDICT_PENDING, "1 migration pending, next is 0003_c",
	    "see to what the last run failed of; then POST /apply");
	err_hint(&failed.err, "GRANT it");
	check(world, VERDICT_PENDING, "1 migration pending, next is 0003_c",
	    "GRANT it; then POST /apply");
	err_where(&failed.err, "0003_c.sql", 1); /* which was mended since */
	check(world, VERDICT_PENDING, "1 migration pending, next is 0003_c", advice);

	/* nor does it go on from a rollback that was cancelled, or does what that needs */
	err_set(&failed.err, CAT_SQL_ERROR, "no");
	failed.err.file[0] = '\0';
	failed.operation = PLAN_BASELINE;
	check(world, VERDICT_PENDING, "1 migration pending, next is 0003_c", advice);
	failed.operation = PLAN_ROLLBACK;
	failed.outcome = RUN_CANCELLED;
	check(world, VERDICT_PENDING, "1 migration pending, next is 0003_c", advice);

	world->status.rolled_back = world->status.folder->migrations[2];
	check(world, VERDICT_PENDING, "1 migration pending, next is 0003_c",
	    "0003_c was rolled back: POST /apply runs it again, or an edit of it");

	world->status.database.in_recovery = true;
	check(world, VERDICT_PENDING, "1 migration pending, next is 0003_c",
	    "this is a standby: apply on the primary");
	check_requests(world, 0, "", "");
}

static void
test_failed_as_the_last_run_tells(void **state)
{
	struct world *world = *state;
	struct run run = { .id = "0190", .state = RUN_DONE, .outcome = RUN_FAILED };

	err_set(&run.err, CAT_SQL_ERROR, "no such table");
	err_where(&run.err, "0001_a.sql", 7);
	snprintf(run.err.migration, sizeof(run.err.migration), "0001_a");
	world->status.parked = &run;
	world->input.failed = "0001_a";
	check(world, VERDICT_FAILED, "0001_a failed: 0001_a.sql:7: no such table",
	    "mend 0001_a.sql, then POST /apply; GET /runs/0190 has the whole error");

	err_hint(&run.err, "create it");
	check(world, VERDICT_FAILED, "0001_a failed: 0001_a.sql:7: no such table",
	    "mend 0001_a.sql, then POST /apply; GET /runs/0190 has the whole error; create it");

	/* the file is right where a right is missing, and where it was the row that failed */
	run.err.category = CAT_PERMISSION_DENIED;
	check(world, VERDICT_FAILED, "0001_a failed: 0001_a.sql:7: no such table",
	    "give the role what it lacks, or mend 0001_a.sql, then POST /apply; "
	    "GET /runs/0190 has the whole error; create it");
	run.err.file[0] = '\0';
	check(world, VERDICT_FAILED, "0001_a failed: no such table",
	    "create it; then POST /apply");
	run.err.hint[0] = '\0';
	check(world, VERDICT_FAILED, "0001_a failed: no such table",
	    "see to what has failed; then POST /apply");

	/* another migration's error tells nothing of this one */
	world->input.failed = "0002_b";
	check(
	    world, VERDICT_FAILED, "0002_b failed", "mend 0002_b.sql, then POST /apply");

	/* edited since */
	world->input.failed_checksum = "other";
	check(world, VERDICT_PENDING, "3 migrations pending, next is 0001_a",
	    "POST /apply runs them; GET /plan shows them first");
}

/* The question and its answers, as the run put them. */
static void
test_in_doubt(void **state)
{
	struct world *world = *state;
	struct run run = {
		.id = "0190", .state = RUN_DONE, .outcome = RUN_REFUSED, .in_doubt = true
	};

	err_set(&run.err, CAT_SQL_ERROR, "statement 2: did it run?");
	err_where(&run.err, "0001_a.sql", 7);
	err_hint(&run.err, "POST /repair with {...}, then POST /apply");
	snprintf(run.err.migration, sizeof(run.err.migration), "0001_a");
	world->status.parked = &run;
	world->input.failed = "0001_a";
	world->input.in_doubt = true;
	check(world, VERDICT_IN_DOUBT,
	    "0001_a is in doubt: 0001_a.sql:7: statement 2: did it run?",
	    "POST /repair with {...}, then POST /apply");
	check_requests(world, 0, "", ""); /* of an older migrationd */
	snprintf(run.err.answers, sizeof(run.err.answers), "pending retry applied");
	check_requests(world, 3, "/repair", "applied");
	/* what ran is done: recording the whole for it would leave the rest undone */
	snprintf(run.err.answers, sizeof(run.err.answers), "pending");
	check_requests(world, 1, "/repair", "pending");
}

/* Two phases may have files of the same name: each has its own error and question. */
static void
test_stopped_in_another_phase(void **state)
{
	static const char id[] = "0001_a";
	struct world *world = *state;
	struct run of_schema = { .id = "0190", .state = RUN_DONE };
	struct run of_seeds = { .id = "0191", .state = RUN_DONE };
	struct status_phase *seeds = &world->status.phases[PHASE_SEEDS];
	struct plan_input input = { .failed = id };
	struct status_request requests[STATUS_REQUESTS];

	err_set(&of_schema.err, CAT_SQL_ERROR, "no such table");
	snprintf(of_schema.err.migration, sizeof(of_schema.err.migration), "%s", id);
	err_set(&of_seeds.err, CAT_SQL_ERROR, "no such role");
	err_where(&of_seeds.err, "0001_a.sql", 2);
	snprintf(of_seeds.err.migration, sizeof(of_seeds.err.migration), "%s", id);
	record_all(world); /* what was parked of the schema was edited since, and ran */
	world->status.parked = &of_schema;
	add_phase(world, PHASE_SEEDS, id, false, NULL);
	input.folder = seeds->folder;
	input.history = history_new(world, HISTORY_BY_FILE);
	seeds->plan = plan_build(world, &input);
	seeds->parked = &of_seeds;
	check(world, VERDICT_FAILED, "seeds: 0001_a failed: 0001_a.sql:2: no such role",
	    "mend 0001_a.sql, then POST /apply; GET /runs/0191 has the whole error");

	snprintf(of_seeds.err.answers, sizeof(of_seeds.err.answers), "retry");
	of_seeds.err.phase = "seeds";
	input.in_doubt = true;
	seeds->plan = plan_build(world, &input);
	check(world, VERDICT_IN_DOUBT,
	    "seeds: 0001_a is in doubt: 0001_a.sql:2: no such role", "");
	check_requests(world, 1, "/repair", "retry");
	status_requests(&world->status, requests);
	assert_string_equal(requests[0].phase, "seeds");
}

/* Whose migration is meant where no phase is named. */
static void
test_choose_phase(void **state)
{
	struct world *world = *state;
	struct status_phase *seeds = &world->status.phases[PHASE_SEEDS];
	struct plan_input input = { .failed = "0001_a" };
	struct err err = { 0 };
	unsigned phases = 7;

	record_all(world);
	world->status.plan = plan_build(world, &world->input);
	add_phase(world, PHASE_SEEDS, "0001_a", false, NULL);
	input.folder = seeds->folder;
	input.history = history_new(world, HISTORY_BY_FILE);
	assert_int_equal(status_choose_phase(&world->status, "none", &phases, &err), 0);
	assert_int_equal(phases, 0);
	assert_int_equal(status_choose_phase(&world->status, "0002_b", &phases, &err), 0);
	assert_int_equal(phases, 0);

	/* of both nothing is to be asked */
	assert_int_equal(
	    status_choose_phase(&world->status, "0001_a", &phases, &err), -1);
	assert_int_equal(err.http_status, 409);
	assert_string_equal(
	    err.text, "more than one phase has a migration 0001_a: schema, seeds");
	assert_string_equal(err.hint,
	    "say which: \"phase\": \"seeds\" in the body, or --phase seeds of "
	    "migrationctl repair");

	for (int in_doubt = 0; in_doubt < 2; in_doubt++) {
		input.in_doubt = in_doubt;
		seeds->plan = plan_build(world, &input);
		phases = 0;
		assert_int_equal(
		    status_choose_phase(&world->status, "0001_a", &phases, &err), 0);
		assert_int_equal(phases, PHASE_BIT(PHASE_SEEDS));
	}

	/* both ask */
	world->input.history = history_new(world, HISTORY_BY_VERSION);
	world->input.failed = "0001_a";
	world->status.plan = plan_build(world, &world->input);
	err_clear(&err);
	assert_int_equal(
	    status_choose_phase(&world->status, "0001_a", &phases, &err), -1);
}

static void
test_failed_as_the_table_tells(void **state)
{
	struct world *world = *state;

	history_add(
	    world->history, &(struct history_row){ .key = "0001", .failed = true });
	check(
	    world, VERDICT_FAILED, "0001_a failed", "mend 0001_a.sql, then POST /apply");

	history_add(world->history,
	    &(struct history_row){
		.key = "0001", .failed = true, .error = "no such table" });
	check(world, VERDICT_FAILED, "0001_a failed: no such table",
	    "mend 0001_a.sql, then POST /apply");
}

static void
test_refused(void **state)
{
	static const struct layout layout = { .name = "test", .remedy = "renumber it" };
	struct world *world = *state;

	record(world, "0001", "same");
	record(world, "0003", "same");
	check(world, VERDICT_REFUSED,
	    "0002_b.sql: 1 migration is not newer than the newest applied, "
	    "0003_c: 0002_b",
	    "GET /plan lists what stands in the way");

	world->folder.layout = &layout;
	check(world, VERDICT_REFUSED,
	    "0002_b.sql: 1 migration is not newer than the newest applied, "
	    "0003_c: 0002_b",
	    "renumber it; GET /plan lists what stands in the way");
}

static void
test_drift(void **state)
{
	static const char advice[] =
	    "put 0001_a.sql back as it was applied, and the change into a new migration; "
	    "GET /migrations/0001_a has both checksums";
	struct world *world = *state;

	record(world, "0001", "other");
	check(world, VERDICT_DRIFT,
	    "1 applied migration was changed since, 0001_a; 2 pending", advice);

	record(world, "0002", "other");
	record(world, "0003", "same");
	check(world, VERDICT_DRIFT,
	    "2 applied migrations were changed since, the first is 0001_a", advice);
}

static void
test_unreachable(void **state)
{
	struct world *world = *state;
	struct database_facts *database = &world->status.database;

	/* not looked yet, or read by nobody: never "current" */
	record_all(world);
	world->input.history = NULL;
	check(world, VERDICT_UNREACHABLE, "the database has not been read yet", "");

	err_set(&database->err, CAT_PERMISSION_DENIED, "permission denied for table x");
	check(world, VERDICT_UNREACHABLE,
	    "the database cannot be read: permission denied for table x",
	    "see that this role may read the tracking table; it is tried again by itself");

	/* what was known before does not make it readable now */
	world->input.history = world->history;
	database->reachable = false;
	check(world, VERDICT_UNREACHABLE,
	    "the database cannot be reached: permission denied for table x",
	    "see that the server runs and takes connections from here; "
	    "it is tried again by itself");
	err_hint(&database->err, "start it");
	check(world, VERDICT_UNREACHABLE,
	    "the database cannot be reached: permission denied for table x", "start it");
}

static void
test_invalid(void **state)
{
	struct world *world = *state;
	struct err err = { 0 };
	struct folder_problem problem = { .blocks = true };

	err_set(&err, CAT_SQL_SYNTAX_ERROR, "conflict marker");
	err_where(&err, "0002_b.sql", 3);
	migration_set_problem(&world->migrations[1], world, &err);
	check(world, VERDICT_INVALID,
	    "the folder is not right: 0002_b.sql:3: conflict marker",
	    "mend the file; the folder is read again by itself");

	/* nobody needs the text of an applied one */
	record_all(world);
	check(world, VERDICT_CURRENT, "3 migrations applied, newest is 0003_c", "");

	/* what is wrong with the folder itself comes before the database */
	err_set(&problem.err, CAT_RESOURCE_NOT_FOUND, "folder not found");
	err_hint(&problem.err, "create it");
	world->folder.problems = &problem;
	world->folder.n_problems = 1;
	world->status.database.reachable = false;
	check(world, VERDICT_INVALID, "the folder is not right: folder not found",
	    "create it");
}

static void
test_a_run_in_progress_is_the_news(void **state)
{
	struct world *world = *state;
	struct run run = { .id = "0190", .state = RUN_LOCK };

	world->status.run = &run;
	check(world, VERDICT_PENDING,
	    "apply in progress: waiting for another migrationd to finish",
	    "GET /runs/0190 follows it, POST /runs/0190/cancel ends it");

	run.lock_holder = (char[]){ "pid 4711" };
	check(world, VERDICT_PENDING,
	    "apply in progress: waiting for another migrationd to finish (pid 4711)",
	    "wait, or look there what that one does; GET /runs/0190 follows it, "
	    "POST /runs/0190/cancel ends it");

	run.state = RUN_PART;
	run.current = (char[]){ "0002_b" };
	run.n_applied = 1;
	run.n_planned = 3;
	world->input.running = "0002_b";
	check(world, VERDICT_PENDING,
	    "apply in progress: running the SQL of a migration (0002_b, 1 of 3 done)",
	    "GET /runs/0190 follows it, POST /runs/0190/cancel ends it");
	check_requests(world, 1, "/runs/0190/cancel", "");

	/* what the server tells is more exact than the state */
	run.has_progress = true;
	run.progress = (struct run_progress){ .command = "CREATE INDEX",
		.phase = "scanning",
		.percent = 25,
		.eta_seconds = 12.4 };
	check(world, VERDICT_PENDING,
	    "apply in progress: CREATE INDEX, scanning, 25.0 %, 12.4 s left (0002_b, 1 of 3 "
	    "done)",
	    "GET /runs/0190 follows it, POST /runs/0190/cancel ends it");
	run.n_blockers = 1;
	run.blockers[0] = (struct run_blocker){ .pid = 4711,
		.application = "psql",
		.state = "idle in transaction",
		.age_us = INT64_C(185000000) };
	check(world, VERDICT_PENDING,
	    "apply in progress: waiting for a lock that pid 4711 (psql, idle in transaction "
	    "for 3 min) holds (0002_b, 1 of 3 done)",
	    "wait, or end what it waits for: SELECT pg_terminate_backend(4711); "
	    "GET /runs/0190 follows it, POST /runs/0190/cancel ends it");

	/* a buffer too small cuts the text */
	assert_string_equal(
	    status_sentence(&world->status, world->sentence, 10), "apply in ");

	run.state = RUN_DONE;
	check(world, VERDICT_PENDING, "3 migrations pending, next is 0001_a",
	    "POST /apply runs them; GET /plan shows them first");
}

int
main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
	const struct CMUnitTest tests[] = {
		TEST(test_names),
		TEST(test_phases),
		TEST(test_requests_of_a_phase),
		TEST(test_question_of_a_lenient_phase),
		TEST(test_current),
		TEST(test_current_with_some_left_out),
		TEST(test_current_without_migrations),
		TEST(test_pending),
		TEST(test_failed_as_the_last_run_tells),
		TEST(test_failed_as_the_table_tells),
		TEST(test_stopped_in_another_phase),
		TEST(test_choose_phase),
		TEST(test_in_doubt),
		TEST(test_refused),
		TEST(test_drift),
		TEST(test_unreachable),
		TEST(test_invalid),
		TEST(test_a_run_in_progress_is_the_news),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
