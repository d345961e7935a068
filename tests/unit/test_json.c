/* SPDX-License-Identifier: PostgreSQL */
#include "fake_api.h"

#include "http/json.h"
#include "http/json_value.h"

/* The names of the members, in their order, as "a b c". */
static const char *
member_names(const void *ctx, const json_t *object)
{
	struct text names;
	const char *name;
	json_t *value;

	text_init(&names, ctx, 4096);
	json_object_foreach((json_t *)(uintptr_t)object, name, value) {
		if (names.len > 0)
			text_add_char(&names, ' ');
		text_add(&names, name);
	}
	return names.data;
}

static const json_t *
at(const json_t *document, const char *a, const char *b)
{
	const json_t *value = json_object_get(document, a);

	return b ? json_object_get(value, b) : value;
}

/* ---- values ---- */

static void
assert_dumps(json_t *value, const char *expected)
{
	char *text =
	    json_dumps(value, JSON_ENCODE_ANY | JSON_COMPACT | JSON_REAL_PRECISION(12));

	assert_string_equal(text, expected);
	free(text);
	json_decref(value);
}

static void
test_values(void **state)
{
	(void)state;
	assert_dumps(json_text("a\"b"), "\"a\\\"b\"");
	assert_dumps(json_text(""), "\"\"");
	assert_dumps(json_text(NULL), "null");
	assert_dumps(json_text("a\xff"
			       "b"),
	    "\"a\xef\xbf\xbd"
	    "b\"");
	assert_dumps(json_text("\x1b[31m"), "\"\\u001B[31m\"");
	assert_dumps(json_text_or_null(""), "null");
	assert_dumps(json_text_or_null("x"), "\"x\"");
	assert_dumps(json_time_or_null(0), "null");
	assert_dumps(json_time_or_null(FAKE_TIME_US), "\"2025-11-20T05:58:12.123Z\"");
	assert_dumps(json_seconds(412000), "0.412");
	assert_dumps(json_seconds(3600000001), "3600.000001");
	assert_dumps(json_count(7), "7");
}

/* ---- problems ---- */

static void
test_a_whole_problem(void **state)
{
	struct err err = {
		.category = CAT_SQL_ERROR,
		.sqlstate = "42703",
		.text = "column \"staus\" does not exist",
		.detail = "a detail",
		.hint = "Perhaps you meant \"status\".",
		.context = "PL/pgSQL function f() line 3",
		.migration = "0044_orders",
		.file = "0044_orders.sql",
		.line = 12,
		.column = 31,
		.statement = 2,
		.excerpt = "CREATE INDEX ON orders (staus)",
		.answers = "retry",
		.phase = "seeds",
	};
	void *ctx = mem_context(NULL, "test");
	json_t *problem = json_problem(&err, 422, "01890a5d-ac96-774b-bcce-b302099a8057");

	(void)state;
	assert_string_equal(member_names(ctx, problem),
	    "type title status detail instance category sqlstate message_detail hint "
	    "context migration file statement requests run_id retryable");
	assert_dumps(json_incref((json_t *)(uintptr_t)at(problem, "requests", NULL)),
	    "[{\"method\":\"POST\",\"path\":\"/repair\",\"body\":{\"migration\":"
	    "\"0044_orders\",\"action\":\"retry\",\"phase\":\"seeds\"},\"when\":"
	    "\"it did not: it is sent again\"}]");
	assert_string_equal(
	    fake_text(problem, "type"), "urn:migrationd:problem:sql-error");
	assert_string_equal(fake_text(problem, "title"), "A migration failed");
	assert_string_equal(fake_text(problem, "detail"),
	    "0044_orders.sql:12:31: column \"staus\" does not exist");
	assert_string_equal(
	    fake_text(problem, "instance"), "/runs/01890a5d-ac96-774b-bcce-b302099a8057");
	assert_string_equal(fake_text(problem, "message_detail"), "a detail");
	assert_string_equal(fake_text(problem, "sqlstate"), "42703");
	assert_string_equal(
	    member_names(ctx, at(problem, "statement", NULL)), "index line column text");
	assert_int_equal(json_integer_value(at(problem, "statement", "index")), 2);
	assert_int_equal(json_integer_value(at(problem, "statement", "line")), 12);
	assert_int_equal(json_integer_value(at(problem, "statement", "column")), 31);
	assert_true(json_is_false(at(problem, "retryable", NULL)));
	json_decref(problem);
	talloc_free(ctx);
}

static void
test_what_is_not_known_is_left_out(void **state)
{
	struct err err = { .category = CAT_NETWORK_ERROR, .text = "connection refused" };
	void *ctx = mem_context(NULL, "test");
	json_t *problem = json_problem(&err, 503, NULL);

	(void)state;
	assert_string_equal(
	    member_names(ctx, problem), "type title status detail category retryable");
	assert_true(json_is_true(at(problem, "retryable", NULL)));
	json_decref(problem);

	err.category = CAT_NONE;
	problem = json_problem(&err, 429, NULL);
	assert_string_equal(
	    member_names(ctx, problem), "type title status detail retryable");
	json_decref(problem);
	talloc_free(ctx);
}

/* ---- the status ---- */

static void
test_status(void **state)
{
	struct fake *fake = fake_new();
	json_t *document;

	(void)state;
	document = json_status(&fake->status);
	assert_string_equal(member_names(fake, document),
	    "api_version target verdict database folder tracking counts pending phases lock run "
	    "last_run sentence advice requests warnings");
	assert_string_equal(member_names(fake, at(document, "database", NULL)),
	    "reachable name server_version engine engine_note in_recovery pooled refreshed_at "
	    "error");
	assert_string_equal(member_names(fake, at(document, "folder", NULL)),
	    "path layout scanned_at problems problems_left_out");
	assert_string_equal(
	    member_names(fake, at(document, "tracking", NULL)), "kind table exists");
	assert_string_equal(
	    member_names(fake, at(document, "lock", NULL)), "held holder ours");
	assert_string_equal(member_names(fake, at(document, "counts", NULL)),
	    "applied baseline pending running failed in_doubt modified missing out_of_order "
	    "unregistered invalid");

	assert_int_equal(json_integer_value(at(document, "api_version", NULL)), 1);
	assert_string_equal(fake_text(document, "target"), "default");
	assert_string_equal(fake_text(document, "verdict"), "pending");
	assert_dumps(json_incref((json_t *)(uintptr_t)at(document, "requests", NULL)),
	    "[{\"method\":\"POST\",\"path\":\"/apply\",\"body\":null,\"when\":null}]");
	assert_string_equal(fake_text(document, "database.name"), "orders");
	assert_true(json_is_true(at(document, "database", "reachable")));
	assert_true(json_is_null(at(document, "database", "error")));
	assert_string_equal(fake_text(document, "folder.path"), "/srv/migrations");
	assert_string_equal(fake_text(document, "folder.layout"), "sequence");
	assert_string_equal(
	    fake_text(document, "folder.scanned_at"), "2025-11-20T05:58:12.123Z");
	assert_string_equal(fake_text(document, "tracking.kind"), "schema_migrations");
	assert_int_equal(json_integer_value(at(document, "counts", "applied")), 1);
	assert_int_equal(json_integer_value(at(document, "counts", "pending")), 2);
	assert_int_equal(json_array_size(at(document, "pending", NULL)), 2);
	assert_string_equal(
	    json_string_value(json_array_get(at(document, "pending", NULL), 0)),
	    "0001_files");
	assert_true(json_is_false(at(document, "lock", "held")));
	assert_true(json_is_null(at(document, "lock", "holder")));
	assert_true(json_is_null(at(document, "run", NULL)));
	assert_true(json_is_null(at(document, "last_run", NULL)));
	assert_true(fake_text(document, "sentence")[0] != '\0');
	json_decref(document);
	talloc_free(fake);
}

static void
test_status_in_bad_times(void **state)
{
	struct fake *fake = fake_new();
	struct folder_problem problem = { .state = MIGRATION_INVALID, .blocks = true };
	json_t *document;
	const json_t *line;

	(void)state;
	err_set(&problem.err, CAT_CONFIGURATION, "not valid JSON");
	err_where(&problem.err, "meta/_journal.json", 4);
	fake->folder.problems = &problem;
	fake->folder.n_problems = 1;
	fake->folder.n_problems_dropped = 3;
	fake->folder.layout = NULL;
	fake->status.database = (struct database_facts){ .looked = true };
	err_set(&fake->status.database.err, CAT_NETWORK_ERROR, "connection refused");
	fake->status.lock = (struct lock_facts){ .held = true, .holder = "pid 4711" };
	fake_plan(fake);

	document = json_status(&fake->status);
	assert_string_equal(fake_text(document, "verdict"), "invalid");
	assert_true(json_is_null(at(document, "folder", "layout")));
	assert_int_equal(
	    json_integer_value(at(document, "folder", "problems_left_out")), 3);
	line = json_array_get(at(document, "folder", "problems"), 0);
	assert_string_equal(
	    member_names(fake, line), "state blocks detail category file statement");
	assert_string_equal(
	    fake_text(line, "detail"), "meta/_journal.json:4: not valid JSON");
	assert_true(json_is_false(at(document, "database", "reachable")));
	assert_true(json_is_null(at(document, "database", "name")));
	assert_true(json_is_null(at(document, "database", "refreshed_at")));
	assert_string_equal(
	    fake_text(document, "database.error.category"), "NETWORK_ERROR");
	assert_string_equal(fake_text(document, "lock.holder"), "pid 4711");
	json_decref(document);
	talloc_free(fake);
}

static void
test_warnings_are_sentences(void **state)
{
	struct fake *fake = fake_new();
	json_t *document;
	struct history_row row = { .key = "0900",
		.name = "gone",
		.has_order = true,
		.order = 900,
		.applied_at_us = FAKE_TIME_US };

	(void)state;
	history_add(fake->history, &row);
	fake->input.policy.out_of_order = OUT_OF_ORDER_APPLY;
	fake_plan(fake);
	document = json_status(&fake->status);
	assert_true(json_array_size(at(document, "warnings", NULL)) > 0);
	assert_true(json_is_string(json_array_get(at(document, "warnings", NULL), 0)));
	json_decref(document);
	talloc_free(fake);
}

/* ---- migrations ---- */

static void
test_migrations(void **state)
{
	struct fake *fake = fake_new();
	json_t *document = json_migrations(&fake->status, NULL);
	const json_t *list = at(document, "migrations", NULL);
	const json_t *one = json_array_get(list, 0);

	(void)state;
	assert_int_equal(json_array_size(list), 3);
	assert_string_equal(member_names(fake, one),
	    "id version name file state checksum recorded_checksum applied_at parts "
	    "recorded_error problem");
	assert_string_equal(fake_text(one, "id"), "0000_users");
	assert_string_equal(fake_text(one, "version"), "0000");
	assert_string_equal(fake_text(one, "name"), "users");
	assert_string_equal(fake_text(one, "file"), "0000_users.sql");
	assert_string_equal(fake_text(one, "state"), "applied");
	assert_int_equal(strlen(fake_text(one, "checksum")), 64);
	assert_true(json_is_null(at(one, "recorded_checksum", NULL)));
	assert_string_equal(fake_text(one, "applied_at"), "2025-11-20T05:58:12.123Z");
	assert_int_equal(json_integer_value(at(one, "parts", NULL)), 1);
	assert_true(json_is_null(at(json_array_get(list, 1), "applied_at", NULL)));
	json_decref(document);

	document = json_migrations(&fake->status, "pending");
	assert_int_equal(json_array_size(at(document, "migrations", NULL)), 2);
	json_decref(document);
	talloc_free(fake);
}

static void
test_a_row_without_a_file(void **state)
{
	const struct history_row row = {
		.key = "0900",
		.name = "gone",
		.checksum = "abc",
		.error = "it broke",
		.failed = true,
		.applied_at_us = FAKE_TIME_US,
	};
	const struct plan_item item = {
		.state = MIGRATION_MISSING, .row = &row, .id = "gone"
	};
	json_t *one = json_migration(&item);

	(void)state;
	assert_string_equal(fake_text(one, "id"), "gone");
	assert_string_equal(fake_text(one, "version"), "0900");
	assert_string_equal(fake_text(one, "name"), "gone");
	assert_string_equal(fake_text(one, "recorded_checksum"), "abc");
	assert_string_equal(fake_text(one, "recorded_error"), "it broke");
	assert_true(json_is_null(at(one, "file", NULL)));
	assert_true(json_is_null(at(one, "parts", NULL)));
	/* what failed was not applied at that time */
	assert_true(json_is_null(at(one, "applied_at", NULL)));
	json_decref(one);
}

static void
test_a_file_that_nobody_lists(void **state)
{
	const struct plan_item item = { .state = MIGRATION_UNREGISTERED,
		.id = "stray.sql" };
	json_t *one = json_migration(&item);

	(void)state;
	assert_string_equal(fake_text(one, "state"), "unregistered");
	assert_true(json_is_null(at(one, "version", NULL)));
	json_decref(one);
}

/* ---- the plan ---- */

static void
test_plan(void **state)
{
	struct fake *fake = fake_new();
	json_t *document = fake_plan_document(fake, NULL);
	const json_t *steps = at(document, "steps", NULL);

	(void)state;
	assert_string_equal(member_names(fake, document),
	    "target operation known up_to dry_run steps refused problems exit_code phases");
	assert_int_equal(json_array_size(steps), 2);
	assert_string_equal(member_names(fake, json_array_get(steps, 0)),
	    "id version file checksum parts commits");
	assert_string_equal(fake_text(json_array_get(steps, 1), "id"), "0002_more");
	assert_true(json_is_null(at(document, "refused", NULL)));
	assert_true(json_is_true(at(document, "known", NULL)));
	json_decref(document);

	document = fake_plan_document(fake, "0000_users");
	assert_int_equal(json_array_size(at(document, "steps", NULL)), 0);
	assert_string_equal(fake_text(document, "up_to"), "0000_users");
	json_decref(document);
	talloc_free(fake);
}

static void
test_a_refused_plan(void **state)
{
	struct fake *fake = fake_new();
	json_t *document;

	(void)state;
	/* 0002 is applied, so 0001 comes too late */
	fake_set_applied(fake, 3);
	fake->history->rows[1] = fake->history->rows[2];
	fake->history->n_rows = 2;
	fake_plan(fake);
	document = fake_plan_document(fake, NULL);
	assert_string_equal(fake_text(document, "refused.category"), "OUT_OF_ORDER");
	assert_int_equal(
	    json_integer_value(at(document, "exit_code", NULL)), EXIT_REFUSED);
	assert_int_equal(json_array_size(at(document, "steps", NULL)), 0);
	assert_true(json_array_size(at(document, "problems", NULL)) > 0);
	json_decref(document);
	talloc_free(fake);
}

/* The run of a lenient phase succeeds all the same; that of another does not. */
static void
test_a_plan_of_what_cannot_be_read(void **state)
{
	struct fake *fake = fake_new();
	struct run_request wanted = { .operation = PLAN_APPLY };
	struct outlook outlook = fake_outlook(fake, NULL);
	struct status_phase *phases = fake->status.phases;
	struct err err = { 0 };
	json_t *document;

	(void)state;
	fake_unread_data(fake, &err);
	outlook.plans[PHASE_DATA] = phases[PHASE_DATA].plan;
	document = json_plan(&fake->status, &wanted, &outlook);
	assert_int_equal(json_integer_value(at(document, "exit_code", NULL)), EXIT_FINE);
	assert_string_equal(
	    fake_text(json_array_get(at(document, "phases", NULL), 0), "error.detail"),
	    "permission denied for table d");
	json_decref(document);

	phases[PHASE_SEEDS] = phases[PHASE_DATA];
	outlook.plans[PHASE_SEEDS] = phases[PHASE_DATA].plan;
	document = json_plan(&fake->status, &wanted, &outlook);
	assert_int_equal(
	    json_integer_value(at(document, "exit_code", NULL)), err_exit_code(&err));
	json_decref(document);

	/* nobody has looked yet */
	phases[PHASE_DATA].unread = phases[PHASE_SEEDS].unread = NULL;
	document = json_plan(&fake->status, &wanted, &outlook);
	assert_int_equal(
	    json_integer_value(at(document, "exit_code", NULL)), EXIT_UNREACHABLE);
	json_decref(document);
	talloc_free(fake);
}

/* ---- runs ---- */

#define RUN_MEMBERS                                                                             \
	"id operation target state outcome joined started_at finished_at duration_seconds "     \
	"lock_wait_seconds applied error up_to reason requested_by callers statements planned " \
	"failed phases current state_text lock_holder attempts reconnects in_doubt "            \
	"wait_event blockers queued progress batch warnings exit_code"

static void
test_a_run_in_progress(void **state)
{
	struct fake *fake = fake_new();
	struct run *run = fake_start_run(fake, PLAN_APPLY);
	json_t *document = json_run(run, true);

	(void)state;
	assert_string_equal(member_names(fake, document), RUN_MEMBERS);
	assert_string_equal(fake_text(document, "state"), "new");
	assert_true(json_is_null(at(document, "outcome", NULL)));
	assert_true(json_is_true(at(document, "joined", NULL)));
	assert_true(json_is_null(at(document, "finished_at", NULL)));
	assert_true(json_is_null(at(document, "duration_seconds", NULL)));
	assert_true(json_is_null(at(document, "exit_code", NULL)));
	assert_int_equal(json_integer_value(at(document, "planned", NULL)), 2);
	assert_int_equal(json_array_size(at(document, "blockers", NULL)), 0);
	assert_true(json_is_array(at(document, "blockers", NULL)));
	assert_true(json_is_null(at(document, "progress", NULL)));
	assert_true(json_is_null(at(document, "wait_event", NULL)));
	json_decref(document);

	document = json_status(&fake->status);
	assert_string_equal(fake_text(document, "run.id"), run->id);
	json_decref(document);
	talloc_free(fake);
}

static void
test_a_run_that_waits(void **state)
{
	struct fake *fake = fake_new();
	struct run *run = fake_start_run(fake, PLAN_APPLY);
	json_t *document, *blocker;

	(void)state;
	run->n_blockers = 2;
	run->blockers[0] = (struct run_blocker){ 4711, "psql", "app", "active",
		"SELECT '\xff'", 1500000 };
	run->blockers[1] = (struct run_blocker){ .pid = 4712, .age_us = -1 };
	run->n_queued = 3;
	(void)snprintf(run->wait_event, sizeof(run->wait_event), "Lock:relation");
	run->has_progress = true;
	run->progress = (struct run_progress){ "CREATE INDEX", "scanning", "blocks", 25,
		10, 12.5, 1, 4 };
	document = json_run(run, true);
	assert_string_equal(fake_text(document, "wait_event"), "Lock:relation");
	assert_int_equal(json_integer_value(at(document, "queued", NULL)), 3);
	assert_int_equal(json_array_size(at(document, "blockers", NULL)), 2);
	blocker = json_array_get(at(document, "blockers", NULL), 0);
	assert_string_equal(
	    member_names(fake, blocker), "pid application user state age_seconds query");
	assert_int_equal(json_integer_value(at(blocker, "pid", NULL)), 4711);
	assert_string_equal(fake_text(blocker, "application"), "psql");
	assert_string_equal(fake_text(blocker, "query"), "SELECT '\xef\xbf\xbd'");
	assert_float_equal(json_real_value(at(blocker, "age_seconds", NULL)), 1.5, 1e-9);
	blocker = json_array_get(at(document, "blockers", NULL), 1);
	assert_true(json_is_null(at(blocker, "user", NULL)));
	assert_true(json_is_null(at(blocker, "age_seconds", NULL)));
	assert_string_equal(member_names(fake, at(document, "progress", NULL)),
	    "command phase unit done total percent rate_per_second eta_seconds");
	assert_string_equal(fake_text(document, "progress.unit"), "blocks");
	assert_int_equal(json_integer_value(at(document, "progress", "total")), 4);
	assert_float_equal(
	    json_real_value(at(document, "progress", "percent")), 25, 1e-9);
	json_decref(document);

	run->progress.eta_seconds = -1;
	run->progress.phase[0] = '\0';
	document = json_run(run, true);
	assert_true(json_is_null(at(document, "progress", "eta_seconds")));
	assert_true(json_is_null(at(document, "progress", "phase")));
	json_decref(document);
	talloc_free(fake);
}

static void
test_a_run_that_succeeded(void **state)
{
	struct fake *fake = fake_new();
	const struct err warning = { .category = CAT_SQL_ERROR, .text = "odd" };
	const json_t *applied;
	json_t *document;

	(void)state;
	fake_start_run(fake, PLAN_BASELINE);
	run_add_warning(fake->run, &warning);
	fake_end_run(fake, NULL);
	document = json_run(fake->run, false);
	assert_string_equal(
	    json_string_value(json_array_get(at(document, "warnings", NULL), 0)), "odd");
	assert_string_equal(fake_text(document, "operation"), "baseline");
	assert_string_equal(fake_text(document, "outcome"), "succeeded");
	assert_true(json_is_null(at(document, "error", NULL)));
	assert_int_equal(json_integer_value(at(document, "exit_code", NULL)), 0);
	assert_true(json_is_integer(at(document, "exit_code", NULL)));
	applied = json_array_get(at(document, "applied", NULL), 0);
	assert_string_equal(fake_text(applied, "id"), "0001_files");
	assert_float_equal(
	    json_real_value(at(applied, "duration_seconds", NULL)), 0.412, 1e-9);
	json_decref(document);
	talloc_free(fake);
}

static void
test_a_run_that_failed(void **state)
{
	struct fake *fake = fake_new();
	struct err err = {
		.category = CAT_SQL_ERROR, .text = "it broke", .sqlstate = "42703"
	};
	json_t *document;

	(void)state;
	fake_start_run(fake, PLAN_APPLY);
	fake_end_run(fake, &err);
	document = json_run(fake->run, false);
	assert_string_equal(fake_text(document, "outcome"), "failed");
	assert_string_equal(fake_text(document, "error.sqlstate"), "42703");
	assert_string_equal(fake_text(document, "error.run_id"), fake->run->id);
	assert_int_equal(json_integer_value(at(document, "exit_code", NULL)), 5);
	json_decref(document);

	/* problem first, then the run; nothing stands twice */
	document = json_run_problem(fake->run, true, 422);
	assert_string_equal(
	    fake_text(document, "type"), "urn:migrationd:problem:sql-error");
	assert_int_equal(json_integer_value(at(document, "status", NULL)), 422);
	assert_string_equal(fake_text(document, "run_id"), fake->run->id);
	assert_string_equal(fake_text(document, "outcome"), "failed");
	assert_true(json_is_true(at(document, "joined", NULL)));
	assert_true(json_is_array(at(document, "applied", NULL)));
	json_decref(document);
	talloc_free(fake);
}

static void
test_list_of_runs(void **state)
{
	struct fake *fake = fake_new();
	struct run_request wanted = { .requested_by = "test" };
	json_t *document;

	(void)state;
	for (unsigned i = 0; i < 4; i++)
		fake->runs[i] = run_new(&wanted, "default", FAKE_TIME_US + i, 0);
	fake->status.runs = fake->runs;
	fake->status.n_runs = 4;

	document = json_runs(&fake->status, 3, NULL);
	assert_int_equal(json_array_size(at(document, "runs", NULL)), 3);
	assert_string_equal(fake_text(document, "next"), fake->runs[2]->id);
	json_decref(document);

	document = json_runs(&fake->status, 3, fake->runs[2]->id);
	assert_int_equal(json_array_size(at(document, "runs", NULL)), 1);
	assert_true(json_is_null(at(document, "next", NULL)));
	json_decref(document);

	document = json_runs(&fake->status, 4, NULL);
	assert_true(json_is_null(at(document, "next", NULL)));
	json_decref(document);

	document = json_runs(&fake->status, 3, "nobody");
	assert_int_equal(json_array_size(at(document, "runs", NULL)), 0);
	json_decref(document);
	for (unsigned i = 0; i < 4; i++)
		run_unref(fake->runs[i]);
	talloc_free(fake);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_values),
		cmocka_unit_test(test_a_whole_problem),
		cmocka_unit_test(test_what_is_not_known_is_left_out),
		cmocka_unit_test(test_status),
		cmocka_unit_test(test_status_in_bad_times),
		cmocka_unit_test(test_warnings_are_sentences),
		cmocka_unit_test(test_migrations),
		cmocka_unit_test(test_a_row_without_a_file),
		cmocka_unit_test(test_a_file_that_nobody_lists),
		cmocka_unit_test(test_plan),
		cmocka_unit_test(test_a_refused_plan),
		cmocka_unit_test(test_a_plan_of_what_cannot_be_read),
		cmocka_unit_test(test_a_run_in_progress),
		cmocka_unit_test(test_a_run_that_waits),
		cmocka_unit_test(test_a_run_that_succeeded),
		cmocka_unit_test(test_a_run_that_failed),
		cmocka_unit_test(test_list_of_runs),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
