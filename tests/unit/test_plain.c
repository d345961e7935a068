/* SPDX-License-Identifier: PostgreSQL */
#include "fake_api.h"

#include "http/plain.h"
#include "http/plain_line.h"

static struct text
new_text(const struct fake *fake)
{
	struct text out;

	text_init(&out, fake, BOUND_REPLY_BYTES);
	return out;
}

/* Whether the text has exactly this line. */
static bool
has_line(const struct text *out, const char *line)
{
	size_t len = strlen(line);

	for (const char *p = out->data; *p; p += strcspn(p, "\n"), p += *p == '\n') {
		if (strcspn(p, "\n") == len && strncmp(p, line, len) == 0)
			return true;
	}
	print_error("no line \"%s\" in:\n%s", line, out->data);
	return false;
}

static size_t
count_lines(const struct text *out)
{
	size_t n = 0;

	for (const char *p = strchr(out->data, '\n'); p; p = strchr(p + 1, '\n'))
		n++;
	return n;
}

static void
test_status_on_one_screen(void **state)
{
	struct fake *fake = fake_new();
	struct text out = new_text(fake);

	(void)state;
	plain_status(&out, &fake->status, NULL, false);
	assert_int_equal(strncmp(out.data, "verdict   pending: ", 19), 0);
	assert_true(has_line(&out, "database  orders, postgresql 15.20, reachable"));
	assert_true(has_line(&out, "folder    /srv/migrations (sequence)"));
	assert_true(
	    has_line(&out, "tracking  public.schema_migrations, schema_migrations"));
	assert_true(has_line(&out, "schema    0000_users, applied 2025-11-20 05:58:12Z"));
	assert_true(has_line(&out, "pending   2   applied 1"));
	assert_true(has_line(&out, "run       none in progress"));
	assert_true(has_line(&out, "MIGRATION   STATE    APPLIED"));
	assert_true(has_line(&out, "0000_users  applied  2025-11-20 05:58:12Z"));
	assert_true(has_line(&out, "0001_files  pending"));
	assert_non_null(strstr(out.data, "\nnext: "));
	assert_true(count_lines(&out) < 25);
	assert_int_equal(out.data[out.len - 1], '\n');
	talloc_free(fake);
}

static void
test_status_of_an_empty_world(void **state)
{
	struct fake *fake = fake_new();
	struct text out = new_text(fake);

	(void)state;
	fake->folder.n_migrations = 0;
	fake->folder.layout = NULL;
	fake->history = NULL;
	fake->status.database = (struct database_facts){ 0 };
	fake->status.tracking.exists = false;
	fake_plan(fake);
	plain_status(&out, &fake->status, NULL, false);
	assert_true(has_line(&out, "database  not known yet, not looked at yet"));
	assert_true(has_line(&out, "folder    /srv/migrations (layout not recognised)"));
	/* nobody has read it: no word of what is there, or to do */
	assert_true(has_line(&out, "tracking  not known yet"));
	assert_true(has_line(&out, "schema    not known yet"));
	assert_true(has_line(&out, "pending   not known yet"));
	assert_null(strstr(out.data, "MIGRATION"));

	text_reset(&out);
	fake->history = history_new(fake, HISTORY_BY_VERSION);
	fake_plan(fake);
	plain_status(&out, &fake->status, NULL, false);
	assert_true(has_line(&out, "tracking  public.schema_migrations, not there yet"));
	assert_true(has_line(&out, "schema    nothing applied yet"));
	assert_true(has_line(&out, "pending   0"));
	talloc_free(fake);
}

static void
test_status_when_it_is_on_fire(void **state)
{
	struct fake *fake = fake_new();
	struct err err = {
		.category = CAT_SQL_ERROR,
		.sqlstate = "42703",
		.text = "column \"staus\" does not exist",
		.hint = "Perhaps you meant \"status\".",
		.migration = "0001_files",
		.file = "0001_files.sql",
		.line = 12,
		.column = 31,
		.statement = 2,
		.excerpt = "CREATE INDEX ON orders (staus)",
	};
	struct text out = new_text(fake);

	(void)state;
	fake_start_run(fake, PLAN_APPLY);
	fake_end_run(fake, &err);
	fake->input.failed = "0001_files";
	fake->input.failed_checksum = fake->folder.migrations[1]->checksum;
	fake_plan(fake);
	fake->status.database.reachable = false;
	err_set(&fake->status.database.err, CAT_NETWORK_ERROR, "connection refused");
	fake->status.database.refreshed_at_us = FAKE_TIME_US;
	fake->status.database.pooled = true;
	fake->status.lock = (struct lock_facts){ .held = true, .holder = "pid 4711" };
	plain_status(&out, &fake->status, NULL, false);
	assert_true(has_line(
	    &out, "database  orders, postgresql 15.20, not reachable, through a pooler"));
	assert_true(has_line(
	    &out, "          connection refused (last seen 2025-11-20 05:58:12Z)"));
	assert_true(has_line(&out, "lock      pid 4711"));
	assert_true(has_line(
	    &out, "error     0001_files.sql:12:31: column \"staus\" does not exist"));
	assert_true(has_line(&out, "category  SQL_ERROR, SQLSTATE 42703"));
	assert_true(
	    has_line(&out, "sql       statement 2: CREATE INDEX ON orders (staus)"));
	assert_true(has_line(&out, "hint      Perhaps you meant \"status\"."));
	assert_true(has_line(&out, "0001_files  failed"));
	talloc_free(fake);
}

static unsigned
count_of(const struct text *out, const char *part)
{
	unsigned n = 0;

	for (const char *p = strstr(out->data, part); p; p = strstr(p + 1, part))
		n++;
	return n;
}

/* A phase whose table keeps no errors: the run that stopped there tells. */
static void
test_a_failed_phase(void **state)
{
	struct fake *fake = fake_new();
	struct text out = new_text(fake);
	struct migration *list[] = { fake_migration(fake, "roles", 0) };
	struct folder folder = { .migrations = list, .n_migrations = 1 };
	struct history_row row = { .key = "roles", .failed = true, .error = "no table" };
	struct plan_input input = { .folder = &folder, .failed = "roles" };
	struct status_phase *seeds = &fake->status.phases[PHASE_SEEDS];
	struct run run = { .id = "0190", .state = RUN_DONE, .outcome = RUN_FAILED };

	(void)state;
	folder.path = mem_strdup(fake, "/srv/seeds");
	input.history = history_new(fake, HISTORY_BY_FILE);
	err_set(&run.err, CAT_SQL_ERROR, "no such role");
	err_where(&run.err, "roles.sql", 2);
	snprintf(run.err.migration, sizeof(run.err.migration), "roles");
	seeds->folder = &folder;
	seeds->plan = plan_build(fake, &input);
	plain_status(&out, &fake->status, NULL, false);
	assert_true(has_line(&out, "failed    roles"));
	text_reset(&out);
	seeds->parked = &run;
	plain_status(&out, &fake->status, NULL, false);
	assert_true(has_line(&out, "failed    roles: roles.sql:2: no such role"));

	history_add((struct history *)input.history, &row);
	seeds->plan = plan_build(fake, &input);
	text_reset(&out);
	plain_status(&out, &fake->status, NULL, false);
	assert_true(has_line(&out, "failed    roles: no table"));
	talloc_free(fake);
}

/* What to do stands at the end, and nowhere else on that screen. */
static void
test_advice_once(void **state)
{
	static const struct layout layout = { .name = "test", .remedy = "renumber it" };
	struct fake *fake = fake_new();
	struct err err = {
		.category = CAT_SQL_ERROR,
		.text = "no such column",
		.hint = "perhaps you meant \x1b[2Jthat",
		.migration = "0001_files",
		.file = "0001_files.sql",
		.line = 12,
	};
	struct text out = new_text(fake);

	(void)state;
	fake_start_run(fake, PLAN_APPLY);
	fake_end_run(fake, &err);
	fake->status.parked = fake->status.last_run;
	fake->input.failed = "0001_files";
	fake->input.failed_checksum = fake->folder.migrations[1]->checksum;
	fake_plan(fake);
	plain_status(&out, &fake->status, "db", false);
	assert_int_equal(count_of(&out, "perhaps"), 1);
	assert_non_null(
	    strstr(out.data, "has the whole error; perhaps you meant \\x1b[2Jthat\n"));

	/* alone, the error says what to do */
	text_reset(&out);
	plain_run(&out, fake->status.last_run);
	assert_true(has_line(&out, "hint      perhaps you meant \\x1b[2Jthat"));

	text_reset(&out);
	fake->input.failed = NULL;
	fake->folder.layout = &layout;
	fake_set_applied(fake, 3);
	fake->history->rows[1] = fake->history->rows[2];
	fake->history->n_rows = 2;
	fake_plan(fake);
	plain_status(&out, &fake->status, NULL, false);
	assert_int_equal(count_of(&out, "renumber"), 1);
	assert_true(
	    has_line(&out, "next: renumber it; GET /plan lists what stands in the way"));
	/* that of another matter stays */
	assert_int_equal(count_of(&out, "perhaps"), 1);
	talloc_free(fake);
}

static void
test_a_refused_status(void **state)
{
	struct fake *fake = fake_new();
	struct text out = new_text(fake);
	struct text plan = new_text(fake);
	struct outlook outlook;

	(void)state;
	fake_set_applied(fake, 3);
	fake->history->rows[1] = fake->history->rows[2];
	fake->history->n_rows = 2;
	fake_plan(fake);
	plain_status(&out, &fake->status, NULL, false);
	assert_non_null(strstr(out.data, "\nproblem   "));
	assert_non_null(strstr(out.data, "\nrefused   "));
	assert_true(has_line(&out, "0001_files  out_of_order"));
	outlook = fake_outlook(fake, NULL);
	plain_plan(&plan, &fake->status, PLAN_APPLY, &outlook);
	assert_true(has_line(&plan, "0 to apply"));
	talloc_free(fake);
}

/* A folder of `n`, of which the first `applied` are applied. */
static void
make_long(struct fake *fake, size_t n, size_t applied)
{
	fake->folder.migrations = mem_array(fake, struct migration *, n);
	fake->folder.n_migrations = n;
	for (size_t i = 0; i < n; i++)
		fake->folder.migrations[i] =
		    fake_migration(fake, mem_printf(fake, "%04zu_m", i), i);
	fake_set_applied(fake, applied);
}

static void
test_long_lists(void **state)
{
	struct fake *fake = fake_new();
	struct text out = new_text(fake);

	(void)state;
	make_long(fake, 100, 95);
	plain_status(&out, &fake->status, NULL, false);
	assert_null(strstr(out.data, "\n0059_m"));
	assert_true(has_line(&out, "0060_m     applied  2025-11-20 05:58:12Z"));
	assert_true(has_line(&out, "0094_m     applied  2025-11-20 05:58:12Z"));
	assert_true(has_line(&out, "0099_m     pending"));
	assert_true(has_line(&out, "... 60 more: GET /migrations?format=text"));

	text_reset(&out);
	make_long(fake, 100, 10);
	plain_status(&out, &fake->status, NULL, false);
	assert_null(strstr(out.data, "\n0009_m"));
	assert_true(has_line(&out, "0010_m     pending"));
	assert_true(has_line(&out, "0049_m     pending"));
	assert_null(strstr(out.data, "\n0050_m"));
	assert_true(has_line(&out, "... 60 more: GET /migrations?format=text"));

	text_reset(&out);
	make_long(fake, PLAIN_STATUS_ROWS, 10);
	plain_status(&out, &fake->status, NULL, false);
	assert_true(has_line(&out, "0000_m     applied  2025-11-20 05:58:12Z"));
	assert_null(strstr(out.data, "more:"));

	text_reset(&out);
	make_long(fake, 100, 95);
	plain_migrations(&out, &fake->status, NULL);
	assert_int_equal(count_lines(&out), 101);
	text_reset(&out);
	plain_migrations(&out, &fake->status, "pending");
	assert_int_equal(count_lines(&out), 6);
	talloc_free(fake);
}

static void
test_nothing_moves_the_cursor(void **state)
{
	struct fake *fake = fake_new();
	struct text out = new_text(fake);

	(void)state;
	plain_add_clean(&out, "a\x1b[2J\tb\r\x7f\nc\xc3\xa4");
	assert_string_equal(out.data, "a\\x1b[2J b\\x0d\\x7f\n          c\xc3\xa4");
	talloc_free(fake);
}

static void
test_a_very_long_name(void **state)
{
	struct fake *fake = fake_new();
	struct text out = new_text(fake);
	char *name = mem_array(fake, char, 101);

	(void)state;
	memset(name, 'x', 100);
	name[100] = '\0';
	fake->folder.migrations[2]->id = name;
	fake_plan(fake);
	plain_migrations(&out, &fake->status, NULL);
	assert_true(has_line(&out, mem_printf(fake, "%s  pending", name)));
	assert_true(has_line(&out, "0001_files  pending"));
	talloc_free(fake);
}

static void
test_one_migration(void **state)
{
	struct fake *fake = fake_new();
	struct text out = new_text(fake);
	struct err problem = { .category = CAT_CONFIGURATION, .text = "a NUL byte" };
	struct history_row row = { .key = "0900",
		.name = "gone",
		.checksum = "abc",
		.error = "it broke",
		.failed = true,
		.applied_at_us = FAKE_TIME_US };
	struct plan_item missing = {
		.state = MIGRATION_MISSING, .row = &row, .id = "gone"
	};

	(void)state;
	migration_set_problem(fake->folder.migrations[0], fake, &problem);
	plain_migration(&out, &fake->status.plan->items[0]);
	assert_true(has_line(&out, "migration 0000_users"));
	assert_true(has_line(&out, "state     applied"));
	assert_true(has_line(&out, "file      0000_users.sql"));
	assert_true(has_line(&out, "applied   2025-11-20 05:58:12Z"));
	assert_true(has_line(&out, "error     a NUL byte"));

	text_reset(&out);
	plain_migration(&out, &missing);
	assert_true(has_line(&out, "version   0900"));
	assert_true(has_line(&out, "recorded  abc"));
	assert_true(has_line(&out, "failed    it broke"));
	assert_null(strstr(out.data, "2025-"));
	talloc_free(fake);
}

static void
test_plan(void **state)
{
	struct fake *fake = fake_new();
	struct text out = new_text(fake);
	struct outlook outlook;

	(void)state;
	outlook = fake_outlook(fake, NULL);
	plain_plan(&out, &fake->status, PLAN_APPLY, &outlook);
	assert_string_equal(out.data, "   1  0001_files\n   2  0002_more\n2 to apply\n");
	text_reset(&out);
	outlook = fake_outlook(fake, "0001");
	plain_plan(&out, &fake->status, PLAN_APPLY, &outlook);
	assert_string_equal(out.data, "   1  0001_files\n1 to apply\n");
	/* nobody has looked: no step is no promise */
	text_reset(&out);
	fake->history = NULL;
	fake_plan(fake);
	outlook = fake_outlook(fake, NULL);
	plain_plan(&out, &fake->status, PLAN_APPLY, &outlook);
	assert_string_equal(out.data, "the database has not been read yet: ask again\n");
	talloc_free(fake);
}

static void
test_a_phase_that_cannot_be_read(void **state)
{
	struct fake *fake = fake_new();
	struct text out = new_text(fake);
	struct err err = { 0 };
	struct outlook outlook;

	(void)state;
	fake_unread_data(fake, &err);
	plain_status(&out, &fake->status, NULL, false);
	assert_true(has_line(&out, "pending   2   applied 1"));
	assert_true(has_line(&out, "data      not known"));
	assert_true(has_line(&out, "error     permission denied for table d"));
	assert_true(has_line(&out, "hint      let its owner grant it"));
	/* the longest of the names */
	text_reset(&out);
	fake->status.phases[PHASE_REPEATABLE] = fake->status.phases[PHASE_DATA];
	plain_status(&out, &fake->status, NULL, false);
	assert_true(has_line(&out, "repeatable not known"));
	fake->status.phases[PHASE_REPEATABLE] = (struct status_phase){ 0 };
	text_reset(&out);
	outlook = fake_outlook(fake, NULL);
	outlook.plans[PHASE_DATA] = fake->status.phases[PHASE_DATA].plan;
	plain_plan(&out, &fake->status, PLAN_APPLY, &outlook);
	assert_true(has_line(&out, "2 to apply"));
	assert_true(has_line(&out, "error     permission denied for table d"));
	assert_null(strstr(out.data, "has not been read yet"));
	/* nobody has looked at it */
	text_reset(&out);
	fake->status.phases[PHASE_DATA].unread = NULL;
	plain_plan(&out, &fake->status, PLAN_APPLY, &outlook);
	assert_true(has_line(&out, "the table of data has not been read yet"));
	talloc_free(fake);
}

static void
test_runs(void **state)
{
	struct fake *fake = fake_new();
	struct text out = new_text(fake);
	const struct err warning = { .category = CAT_SQL_ERROR, .text = "odd" };
	const struct err failure = { .category = CAT_SQL_ERROR, .text = "it broke" };
	char line[256];

	(void)state;
	plain_runs(&out, &fake->status, 50, NULL);
	assert_string_equal(out.data, "no runs\n");

	fake_start_run(fake, PLAN_APPLY);
	run_begin_migration(fake->run, fake->folder.migrations[1], 0);
	text_reset(&out);
	plain_run(&out, fake->run);
	snprintf(line, sizeof(line),
	    "run       apply %s in progress 2025-11-20 05:58:12Z, 0 of 2 done, %s: 0001_files",
	    fake->run->id, run_state_sentence(RUN_NEW));
	assert_true(has_line(&out, line));
	text_reset(&out);
	plain_status(&out, &fake->status, NULL, false);
	assert_true(has_line(&out, line));

	run_add_warning(fake->run, &warning);
	fake_end_run(fake, NULL);
	text_reset(&out);
	plain_run(&out, fake->run);
	assert_true(has_line(&out, "warning   odd"));
	snprintf(line, sizeof(line),
	    "run       apply %s succeeded 2025-11-20 05:58:14Z, 1 migration in 2.6 s",
	    fake->run->id);
	assert_true(has_line(&out, line));
	assert_true(has_line(&out, "asked by  http 127.0.0.1"));
	assert_true(has_line(&out, "applied   0001_files  412 ms"));

	text_reset(&out);
	plain_runs(&out, &fake->status, 50, NULL);
	assert_true(has_line(&out, line + strlen("run       ")));
	text_reset(&out);
	plain_runs(&out, &fake->status, 50, fake->run->id);
	assert_string_equal(out.data, "no runs\n");

	/* a rollback, what is undone */
	fake->run->operation = PLAN_ROLLBACK;
	fake->run->reason = "too early";
	text_reset(&out);
	plain_run(&out, fake->run);
	assert_true(has_line(&out, "undone    0001_files  412 ms"));
	assert_true(has_line(&out, "reason    too early"));

	/* a repair says what was decided, and what follows */
	fake_start_run(fake, PLAN_REPAIR);
	fake->run->action = "retry";
	fake->run->before = "modified";
	fake->run->after = "applied";
	fake->run->up_to = "0001_files";
	text_reset(&out);
	plain_run(&out, fake->run);
	assert_true(has_line(&out, "action    retry"));
	assert_true(has_line(&out, "migration 0001_files"));
	assert_null(strstr(out.data, "next"));
	fake_end_run(fake, NULL);
	text_reset(&out);
	plain_run(&out, fake->run);
	assert_true(has_line(&out, "next      POST /apply"));
	assert_true(has_line(&out, "before    modified"));
	assert_true(has_line(&out, "after     applied"));

	fake_start_run(fake, PLAN_APPLY);
	fake_end_run(fake, &failure);
	text_reset(&out);
	plain_run(&out, fake->run);
	assert_true(has_line(&out, "error     it broke"));
	talloc_free(fake);
}

static void
test_a_run_that_waits(void **state)
{
	struct fake *fake = fake_new();
	struct text out = new_text(fake);
	struct run *run = fake_start_run(fake, PLAN_APPLY);

	(void)state;
	run->n_blockers = 2;
	run->blockers[0] = (struct run_blocker){ 4711, "psql", "app",
		"idle in transaction", "SELECT '\x1b'", 185000000 };
	run->blockers[1] = (struct run_blocker){ .pid = 4712, .age_us = -1 };
	run->n_queued = 1;
	run->has_progress = true;
	run->progress = (struct run_progress){ "CREATE INDEX", "scanning", "blocks", 25,
		10, 12.5, 1, 4 };
	for (int page = 0; page < 2; page++) {
		text_reset(&out);
		if (page == 0)
			plain_run(&out, run);
		else
			plain_status(&out, &fake->status, NULL, false);
		assert_true(has_line(&out,
		    "blocker   pid 4711 (psql as app, idle in transaction for 3 min); to "
		    "end it: SELECT pg_terminate_backend(4711); its query: SELECT "
		    "'\\x1b'"));
		assert_true(has_line(&out,
		    "blocker   pid 4712; to end it: SELECT pg_terminate_backend(4712)"));
		assert_true(has_line(&out, "queued    1 session behind its locks"));
		assert_true(has_line(&out,
		    "progress  CREATE INDEX, scanning, 25.0 %, 10 blocks/s, 12.5 s left"));
	}
	run->n_queued = 2;
	text_reset(&out);
	plain_run(&out, run);
	assert_true(has_line(&out, "queued    2 sessions behind its locks"));
	talloc_free(fake);
}

static void
test_an_error(void **state)
{
	struct fake *fake = fake_new();
	struct text out = new_text(fake);
	struct err bare = { .category = CAT_NETWORK_ERROR, .text = "connection refused" };
	struct err none = { .text = "the run is still in progress" };

	(void)state;
	plain_error(&out, &bare);
	assert_string_equal(
	    out.data, "error     connection refused\ncategory  NETWORK_ERROR\n");
	text_reset(&out);
	plain_error(&out, &none);
	assert_string_equal(out.data, "error     the run is still in progress\n");
	talloc_free(fake);
}

/* What the advice says to send, ready for a shell. */
static void
test_requests(void **state)
{
	static const char *const bad_hosts[] = { "db;reboot", "", NULL };
	struct fake *fake = fake_new();
	struct text out = new_text(fake);

	(void)state;
	plain_status(&out, &fake->status, "[::1]:8432", false);
	assert_true(has_line(&out, "      curl -X POST http://[::1]:8432/apply"));
	text_reset(&out);
	plain_status(&out, &fake->status, "db", true);
	assert_true(has_line(&out,
	    "      curl -H \"Authorization: Bearer $TOKEN\" -X POST http://db/apply"));
	for (size_t i = 0; i < ARRAY_SIZE(bad_hosts); i++) {
		text_reset(&out);
		plain_status(&out, &fake->status, bad_hosts[i], false);
		assert_null(strstr(out.data, "curl"));
	}
	talloc_free(fake);
}

/* Which of the three, only a look at the database tells. */
static void
test_requests_where_one_has_to_choose(void **state)
{
	struct fake *fake = fake_new();
	struct run run = { .id = "0190", .state = RUN_DONE, .outcome = RUN_REFUSED };
	struct text out = new_text(fake);

	(void)state;
	err_set(&run.err, CAT_SQL_ERROR, "did it run?");
	snprintf(run.err.migration, sizeof(run.err.migration), "0001_files");
	snprintf(run.err.answers, sizeof(run.err.answers), "applied retry");
	fake->input.failed = "0001_files";
	fake->input.failed_checksum = fake->folder.migrations[1]->checksum;
	fake->input.in_doubt = true;
	fake_plan(fake);
	fake->status.parked = &run;
	plain_status(&out, &fake->status, "db", false);
	assert_true(has_line(&out,
	    "      curl --json '{\"migration\": \"0001_files\", \"action\": \"retry\"}' "
	    "http://db/repair  # it did not: it is sent again"));
	assert_null(strstr(out.data, "anew"));

	text_reset(&out);
	snprintf(run.err.migration, sizeof(run.err.migration), "it's");
	plain_error(&out, &run.err);
	assert_true(has_line(&out,
	    "answer    POST /repair {\"migration\": \"it's\", \"action\": \"retry\"}  "
	    "# it did not: it is sent again"));

	text_reset(&out);
	run.err.phase = "seeds";
	plain_error(&out, &run.err);
	assert_true(has_line(&out,
	    "answer    POST /repair {\"migration\": \"it's\", \"action\": \"retry\", "
	    "\"phase\": \"seeds\"}  # it did not: it is sent again"));
	talloc_free(fake);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_status_on_one_screen),
		cmocka_unit_test(test_status_of_an_empty_world),
		cmocka_unit_test(test_status_when_it_is_on_fire),
		cmocka_unit_test(test_a_failed_phase),
		cmocka_unit_test(test_advice_once),
		cmocka_unit_test(test_a_refused_status),
		cmocka_unit_test(test_long_lists),
		cmocka_unit_test(test_nothing_moves_the_cursor),
		cmocka_unit_test(test_a_very_long_name),
		cmocka_unit_test(test_one_migration),
		cmocka_unit_test(test_plan),
		cmocka_unit_test(test_a_phase_that_cannot_be_read),
		cmocka_unit_test(test_runs),
		cmocka_unit_test(test_a_run_that_waits),
		cmocka_unit_test(test_an_error),
		cmocka_unit_test(test_requests),
		cmocka_unit_test(test_requests_where_one_has_to_choose),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
