/* SPDX-License-Identifier: PostgreSQL */
#include "fake_api.h"

#include "ctl/render.h"
#include "http/json.h"

/* What a document looks like as text: the documents are those of the API itself. */
static char *
rendered(const struct fake *fake, render_fn *render, json_t *document, bool has_colour)
{
	struct paint out;

	paint_init(&out, fake, has_colour);
	render(&out, document);
	json_decref(document);
	return out.text.data;
}

static void
expect(const char *text, const char *part)
{
	if (strstr(text, part))
		return;
	print_error("no \"%s\" in:\n%s", part, text);
	fail();
}

static struct err
sql_error(void)
{
	struct err err = {
		.category = CAT_SQL_ERROR, .line = 3, .column = 8, .statement = 2
	};

	snprintf(err.sqlstate, sizeof(err.sqlstate), "42703");
	snprintf(err.text, sizeof(err.text), "column \"staus\" does not \x1b[2J exist");
	snprintf(err.file, sizeof(err.file), "0001_files.sql");
	snprintf(err.migration, sizeof(err.migration), "0001_files");
	snprintf(err.excerpt, sizeof(err.excerpt), "UPDATE orders SET staus = 1");
	snprintf(err.detail, sizeof(err.detail), "there is no detail");
	snprintf(err.hint, sizeof(err.hint), "mend it, then POST /apply");
	return err;
}

static void
test_status(void **state)
{
	struct fake *fake = fake_new();
	char *text = rendered(fake, render_status, json_status(&fake->status), false);

	(void)state;
	expect(text, "verdict   pending: 2 migrations pending, next is 0001_files\n");
	expect(text, "database  orders, postgresql 15.20, reachable\n");
	expect(text, "folder    /srv/migrations (sequence)\n");
	expect(text, "tracking  public.schema_migrations\n");
	expect(text, "pending   2   applied 1\n");
	expect(text, "run       none in progress\n");
	assert_null(strchr(text, '\x1b'));

	fake->status.database = (struct database_facts){ 0 };
	text = rendered(fake, render_status, json_status(&fake->status), false);
	expect(text, "pending   not known yet\n");
	talloc_free(fake);
}

static void
test_status_of_a_phase_that_cannot_be_read(void **state)
{
	struct fake *fake = fake_new();
	struct err err = { 0 };
	char *text;

	(void)state;
	fake_unread_data(fake, &err);
	text = rendered(fake, render_status, json_status(&fake->status), false);
	expect(text, "pending   2   applied 1\ndata      not known\nerror     ");
	expect(text, "permission denied for table d\n");
	expect(text, "hint      let its owner grant it\n");
	text = rendered(fake, render_plan, fake_plan_document(fake, NULL), false);
	expect(text, "permission denied for table d\n");
	expect(text, "hint      let its owner grant it\n");
	talloc_free(fake);
}

/* All that is advised has a command. */
static void
test_advice_while_another_has_the_lock(void **state)
{
	struct fake *fake = fake_new();
	json_t *document;
	struct paint out;

	(void)state;
	fake->status.lock =
	    (struct lock_facts){ .held = true, .holder = "pid 4711 on db2" };
	document = json_status(&fake->status);
	paint_init(&out, fake, false);
	paint_advice(
	    &out, "next", json_string_value(json_object_get(document, "advice")));
	expect(
	    out.text.data, "migrationctl wait waits for that; migrationctl apply waits");
	assert_null(strstr(out.text.data, "GET /"));
	json_decref(document);
	talloc_free(fake);
}

static void
test_status_while_things_are_bad(void **state)
{
	struct fake *fake = fake_new();
	struct err err = sql_error();
	struct database_facts *database = &fake->status.database;
	char *text;

	(void)state;
	fake_start_run(fake, PLAN_APPLY);
	fake_end_run(fake, &err);
	database->reachable = false;
	database->in_recovery = database->pooled = true;
	err_set(&database->err, CAT_NETWORK_ERROR, "connection refused");
	fake->status.lock =
	    (struct lock_facts){ .held = true, .holder = "pid 4711 on db2" };
	text = rendered(fake, render_status, json_status(&fake->status), false);
	expect(text, "15.20, not reachable, a standby, through a pooler\n");
	expect(text, "          connection refused (last seen ");
	expect(text, "lock      pid 4711 on db2\n");
	expect(text, "last run  apply ");
	expect(text, " failed 20");
	expect(text,
	    "error     A migration failed: 0001_files.sql:3:8: column \"staus\" does "
	    "not \\x1b[2J exist\n");
	expect(text, "category  SQL_ERROR, SQLSTATE 42703\n");
	expect(text, "migration 0001_files\n");
	expect(text, "sql       statement 2: UPDATE orders SET staus = 1\n");
	expect(text, "detail    there is no detail\n");
	expect(text, "hint      mend it, then migrationctl apply\n");
	talloc_free(fake);
}

static void
test_colour(void **state)
{
	struct fake *fake = fake_new();
	char *text =
	    rendered(fake, render_migrations, json_migrations(&fake->status, NULL), true);

	(void)state;
	expect(text, "0000_users  \x1b[32mapplied\x1b[0m  2025-11-20 05:58:12Z\n");
	expect(text, "0001_files  \x1b[33mpending\x1b[0m\n");
	talloc_free(fake);
}

static void
test_migrations(void **state)
{
	struct fake *fake = fake_new();
	char *text = rendered(
	    fake, render_migrations, json_migrations(&fake->status, NULL), false);

	(void)state;
	assert_string_equal(text,
	    "MIGRATION   STATE    APPLIED\n"
	    "0000_users  applied  2025-11-20 05:58:12Z\n"
	    "0001_files  pending\n"
	    "0002_more   pending\n");
	text = rendered(
	    fake, render_migrations, json_migrations(&fake->status, "failed"), false);
	assert_string_equal(text, "no migrations\n");
	text = rendered(
	    fake, render_migration, json_migration(&fake->status.plan->items[0]), false);
	expect(text, "migration 0000_users\nstate     applied\nversion   0000\n");
	expect(text, "applied   2025-11-20 05:58:12Z\n");
	talloc_free(fake);
}

static void
test_screenful(void **state)
{
	static const struct {
		size_t applied;
		size_t rows;
		const char *first; /* of the rows */
		const char *end;
	} rows[] = {
		{ 1, 20, "0000_users", "0002_more   pending\n" },
		{ 1, 2, "0001_files", "... 1 more: migrationctl list\n" },
		{ 1, 1, "0001_files", "... 2 more: migrationctl list\n" },
		{ 3, 1, "0002_more", "... 2 more: migrationctl list\n" },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct fake *fake = fake_new();
		json_t *document;
		struct paint out;

		fake_set_applied(fake, rows[i].applied);
		document = json_migrations(&fake->status, NULL);
		paint_init(&out, fake, false);
		render_screenful(&out, document, rows[i].rows);
		expect(out.text.data, rows[i].end);
		assert_non_null(strstr(out.text.data, "APPLIED\n"));
		assert_int_equal(strncmp(strstr(out.text.data, "APPLIED\n") + 8,
				     rows[i].first, strlen(rows[i].first)),
		    0);
		json_decref(document);
		talloc_free(fake);
	}
}

static void
test_plan(void **state)
{
	struct fake *fake = fake_new();
	char *text = rendered(fake, render_plan, fake_plan_document(fake, NULL), false);

	(void)state;
	assert_string_equal(text, "   1  0001_files\n   2  0002_more\n2 to apply\n");
	fake->input.policy.on_modified = ON_MODIFIED_REFUSE;
	fake_plan(fake);
	text = rendered(fake, render_plan, fake_plan_document(fake, "nix"), false);
	expect(text, "error     ");
	expect(text, "category  RESOURCE_NOT_FOUND\n");
	assert_null(strstr(text, "to apply"));
	/* the database was not read: no step is no promise */
	fake->history = NULL;
	fake_plan(fake);
	text = rendered(fake, render_plan, fake_plan_document(fake, NULL), false);
	assert_string_equal(text, "the database has not been read yet: ask again\n");
	talloc_free(fake);
}

/* What is behind the schema counts too, and no screen says a thing twice. */
static void
test_plan_of_phases(void **state)
{
	static const struct {
		const char *document;
		const char *text;
	} rows[] = {
		{ "{\"known\": true, \"operation\": \"apply\", \"steps\": [{\"id\": \"a\"}],"
		  " \"phases\": [{\"phase\": \"data\", \"steps\": [{\"id\": \"b\"}]},"
		  " {\"phase\": \"seeds\", \"steps\": [{\"id\": \"c\"}]}]}",
		    "   1  a\n   2  b  data\n   3  c  seeds\n3 to apply\n" },
		{ "{\"known\": true, \"operation\": \"apply\", \"phases\": [{\"phase\":"
		  " \"seeds\", \"refused\": {\"detail\": \"no\"}}]}",
		    "error     no\n0 to apply\n" },
		{ "{\"refused\": {\"type\": \"x:conflict\", \"title\": \"Conflict\", \"category\":"
		  " \"CONFIGURATION\", \"detail\": \"a: no (and 1 more)\", \"hint\": \"h\"},"
		  " \"problems\": [{\"detail\": \"a: no\", \"blocks\": true, \"hint\": \"h\"},"
		  " {\"detail\": \"b: no\", \"blocks\": true, \"hint\": \"i\"}]}",
		    "problem   b: no\nhint      i\nerror     a: no (and 1 more)\n"
		    "category  CONFIGURATION\nhint      h\n" },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		json_t *document = json_loads(rows[i].document, 0, NULL);
		void *ctx = mem_context(NULL, "test");
		struct paint out;

		assert_non_null(document);
		paint_init(&out, ctx, false);
		render_plan(&out, document);
		assert_string_equal(out.text.data, rows[i].text);
		json_decref(document);
		talloc_free(ctx);
	}
}

static void
test_run_in_progress(void **state)
{
	struct fake *fake = fake_new();
	struct run *run = fake_start_run(fake, PLAN_APPLY);
	char *text;

	(void)state;
	run_begin_migration(run, fake->folder.migrations[1], fake_mono_us);
	run->n_blockers = 1;
	run->blockers[0] = (struct run_blocker){ .pid = 4711,
		.application = "psql",
		.user = "jan",
		.state = "idle in transaction",
		.query = "LOCK TABLE t",
		.age_us = 180000000 };
	run->n_queued = 3;
	run->has_progress = true;
	run->progress = (struct run_progress){ .command = "CREATE INDEX",
		.phase = "building",
		.percent = 25,
		.eta_seconds = 12.4 };
	run->attempts = 2;
	text = rendered(fake, render_run, json_run(run, false), false);
	expect(text, "run       apply ");
	expect(text, " in progress ");
	expect(text, ", 0 of 2 done, ");
	expect(text, "asked by  http 127.0.0.1\n");
	expect(text,
	    "blocker   pid 4711 (psql as jan, idle in transaction for 3 min): "
	    "LOCK TABLE t\n");
	expect(text, "queued    3 sessions behind its locks\n");
	expect(text, "progress  CREATE INDEX, building, 25.0 %, 12.4 s left\n");
	expect(text, "retries   2, for locks\n");
	talloc_free(fake);
}

static void
test_runs(void **state)
{
	struct fake *fake = fake_new();
	char *text =
	    rendered(fake, render_runs, json_runs(&fake->status, 9, NULL), false);

	(void)state;
	assert_string_equal(text, "no runs\n");
	fake_start_run(fake, PLAN_APPLY);
	fake_end_run(fake, NULL);
	text = rendered(fake, render_runs, json_runs(&fake->status, 9, NULL), false);
	expect(text, " succeeded 2025-11-20 05:58:14Z, 1 migration in 2.6 s\n");
	text = rendered(fake, render_run, json_run(fake->run, false), false);
	expect(text, "applied   0001_files  412 ms\n");
	talloc_free(fake);
}

static void
test_check(void **state)
{
	static const char document[] =
	    "{\"verdict\": \"files\", \"counts\": {\"errors\": 2, \"warnings\": 1},"
	    " \"findings_left_out\": 3,"
	    " \"folder\": {\"path\": \"drizzle\", \"migrations\": 7},"
	    " \"findings\": ["
	    "{\"kind\": \"fork\", \"severity\": \"error\", \"path\": \"drizzle/a.sql\","
	    " \"file\": \"a.sql\","
	    " \"line\": 3, \"message\": \"two ways\", \"remedy\": \"POST /apply\","
	    " \"commands\": [\"rm a\"]},"
	    "{\"kind\": \"pending\", \"severity\": \"warning\", \"migration\": \"m1\","
	    " \"message\": \"not yet\", \"remedy\": \"do it\"},"
	    "{\"kind\": \"unreachable\", \"severity\": \"error\","
	    " \"message\": \"away\", \"remedy\": \"do it\"},"
	    "{\"kind\": \"folder\", \"severity\": \"note\", \"message\": \"odd\"}]}";
	struct fake *fake = fake_new();
	char *text = rendered(fake, render_check, json_loads(document, 0, NULL), false);

	(void)state;
	assert_string_equal(text,
	    "drizzle/a.sql:3: error: two ways [fork]\n"
	    "    migrationctl apply\n"
	    "    $ rm a\n"
	    "m1: warning: not yet [pending]\n"
	    "database: error: away [unreachable]\n"
	    "    do it\n"
	    "drizzle: note: odd [folder]\n"
	    "... and 3 more\n"
	    "\n"
	    "check: files: 2 errors, 1 warning, 0 notes; 7 migrations, 0 snapshots\n");
	talloc_free(fake);
}

static void
test_phases(void **state)
{
	static const char document[] =
	    "{\"counts\": {\"pending\": 1}, \"applied\": [],"
	    " \"database\": {\"refreshed_at\": \"2025-11-20T05:58:12Z\"},"
	    " \"rolled_back\": [{\"id\": \"0002_b\", \"duration_seconds\": 1}],"
	    " \"migrations\": [{\"id\": \"0001_a\", \"state\": \"pending\"}],"
	    " \"phases\": [{\"phase\": \"seeds\", \"migrations\": [],"
	    " \"counts\": {\"pending\": 0}},"
	    " {\"phase\": \"data\", \"counts\": {\"pending\": 2, \"failed\": 1},"
	    " \"migrations\": [{\"id\": \"2026-11-20_x\", \"state\": \"failed\"}],"
	    " \"failures\": [{\"detail\": \"x.sql: no\"}]}]}";
	struct fake *fake = fake_new();
	char *text =
	    rendered(fake, render_migrations, json_loads(document, 0, NULL), false);

	(void)state;
	expect(text,
	    "0001_a     pending\n\ndata\nMIGRATION     STATE   APPLIED\n"
	    "2026-11-20_x  failed\n");
	text = rendered(fake, render_status, json_loads(document, 0, NULL), false);
	expect(
	    text, "pending   1\nseeds     pending 0\ndata      pending 2   failed 1\n");
	text = rendered(fake, render_run, json_loads(document, 0, NULL), false);
	expect(text, "undone    0002_b  1.0 s\ndata      x.sql: no\n");
	talloc_free(fake);
}

/* Whatever a server sends: no document is what it should be, and nothing is made of it. */
static void
test_odd_documents(void **state)
{
	static render_fn *const renders[] = { render_status, render_migrations,
		render_migration, render_plan, render_run, render_runs, render_check,
		render_config, render_version, render_checks, render_problem,
		render_wait };
	static const char *const documents[] = { "{}", "[]", "[null]",
		"{\"applied\": 3, \"runs\": [1, null], \"migrations\": {\"a\": []},"
		" \"counts\": {\"pending\": \"x\"}, \"settings\": {\"a\": 1},"
		" \"libraries\": {\"b\": null}, \"checks\": {\"c\": []},"
		" \"warnings\": [null], \"blockers\": [[]], \"progress\": 1,"
		" \"requests\": [1, {\"path\": []}, {\"path\": \"/repair\"}],"
		" \"error\": \"no\", \"refused\": 1, \"steps\": [1]}" };

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(renders); i++) {
		for (size_t j = 0; j < ARRAY_SIZE(documents); j++) {
			json_t *document = json_loads(documents[j], 0, NULL);
			void *ctx = mem_context(NULL, "test");
			struct paint out;

			assert_non_null(document);
			paint_init(&out, ctx, true);
			renders[i](&out, document);
			assert_false(text_failed(&out.text));
			talloc_free(ctx);
			json_decref(document);
		}
	}
}

static void
test_facts(void **state)
{
	struct fake *fake = fake_new();
	struct request *request = fake_request(fake, "GET", "/config");
	char *text;

	(void)state;
	fake_send(request);
	text = rendered(fake, render_config, fake_json(request), false);
	expect(text, "layout                drizzle                         flag\n");
	request = fake_request(fake, "GET", "/version");
	fake_send(request);
	text = rendered(fake, render_version, fake_json(request), false);
	expect(text, "migrationd " PACKAGE_VERSION "\nlibuv ");
	request = fake_request(fake, "GET", "/readyz");
	fake_send(request);
	text = rendered(fake, render_checks, fake_json(request), false);
	expect(text, "database  ok\n");
	talloc_free(fake);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_status),
		cmocka_unit_test(test_status_of_a_phase_that_cannot_be_read),
		cmocka_unit_test(test_advice_while_another_has_the_lock),
		cmocka_unit_test(test_status_while_things_are_bad),
		cmocka_unit_test(test_colour),
		cmocka_unit_test(test_migrations),
		cmocka_unit_test(test_screenful),
		cmocka_unit_test(test_plan),
		cmocka_unit_test(test_plan_of_phases),
		cmocka_unit_test(test_run_in_progress),
		cmocka_unit_test(test_runs),
		cmocka_unit_test(test_check),
		cmocka_unit_test(test_phases),
		cmocka_unit_test(test_odd_documents),
		cmocka_unit_test(test_facts),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
