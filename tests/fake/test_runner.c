/* SPDX-License-Identifier: PostgreSQL */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/bounds.h"
#include "base/log.h"
#include "base/macros.h"
#include "scene.h"

#define MAX_SCENARIOS 512

/* Place, text and hint. */
static void
check_words(const struct scenario *scenario, const struct err *err)
{
	char words[sizeof(*err)];
	size_t used = 0;

	err_format(err, words, sizeof(words));
	used = strlen(words);
	(void)snprintf(words + used, sizeof(words) - used, " (%s)", err->hint);
	if (scenario->says && !strstr(words, scenario->says))
		fail_msg("\"%s\" does not say \"%s\"", words, scenario->says);
	if (!scenario->says)
		assert_string_equal(words, " ()");
}

static void
check_scenario(void **state)
{
	const struct scenario *scenario = *state;
	struct scene scene;
	char journal[256];

	scene_begin(&scene, scenario);
	scene_play(&scene);
	if (scenario->sent)
		assert_string_equal(scene.sent, scenario->sent);
	assert_string_equal(
	    run_outcome_name(scene.run->outcome), run_outcome_name(scenario->outcome));
	assert_string_equal(
	    category_name(scene.run->err.category), category_name(scenario->category));
	check_words(scenario, &scene.run->err);
	assert_int_equal(scene.run->n_applied, scenario->n_applied);
	assert_int_equal(
	    scene.history ? (int)scene.history->n_rows : -1, scenario->n_rows);
	model_journal(journal, sizeof(journal));
	assert_string_equal(journal, scenario->journal ? scenario->journal : "");
	scene_end(&scene);
}

/* ---- what a line of the table cannot say ---- */

static const struct scenario *
find(const char *name)
{
	for (size_t l = 0; l < n_scenario_lists; l++)
		for (size_t i = 0; i < *scenario_lists[l].n; i++)
			if (strcmp(scenario_lists[l].scenarios[i].name, name) == 0)
				return &scenario_lists[l].scenarios[i];
	fail_msg("no scenario %s", name);
	return NULL;
}

static void
play(struct scene *scene, const char *name)
{
	scene_begin(scene, find(name));
	scene_play(scene);
}

static const char *
sent_with(const char *pattern)
{
	for (size_t i = 0; fakepq_sent(i); i++)
		if (strstr(fakepq_sent(i), pattern))
			return fakepq_sent(i);
	fail_msg("nothing sent has %s", pattern);
	return NULL;
}

/* All that is known of a failure, in the run and in the journal. */
static void
test_failure(void **state)
{
	struct scene scene;
	const struct err *err = NULL;
	const char *journal = NULL;

	(void)state;
	play(&scene, "part_fails");
	err = &scene.run->err;
	assert_string_equal(err->sqlstate, "42P01");
	assert_string_equal(err->migration, "0002_two");
	assert_string_equal(err->file, "0002_two.sql");
	assert_int_equal(err->line, 4);
	assert_int_equal(err->column, 8);
	assert_int_equal(err->statement, 3);
	assert_string_equal(err->excerpt, "SELECT two;");
	assert_int_equal(scene.run->statements, 3);
	assert_string_equal(scene.run->applied[0].id, "0001_one");
	journal = sent_with("INSERT INTO migrationd.runs");
	assert_non_null(strstr(journal, "|default|apply|failed|NULL|one|"));
	assert_non_null(
	    strstr(journal, "|[{\"id\":\"0001_one\",\"version\":\"1700000000001\""));
	assert_non_null(strstr(journal, "\"sqlstate\":\"42P01\""));
	scene_end(&scene);
}

/* Whose a run is stands in its row, unless the table has no place for that. */
static void
test_whose(void **state)
{
	static const struct {
		const char *scenario;
		const char *end; /* of the row */
	} rows[] = {
		{ "journal_absent", "|NULL|drizzle.__drizzle_migrations" },
		{ "journal_older", "|NULL|drizzle.__drizzle_migrations" },
		{ "journal_older_not_ours", "|NULL" },
		{ "journal_older_in_use", "|NULL" },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct scene scene;
		const char *journal;
		size_t len = strlen(rows[i].end);

		play(&scene, rows[i].scenario);
		journal = sent_with("INSERT INTO migrationd.runs");
		assert_true(strlen(journal) > len);
		assert_string_equal(journal + strlen(journal) - len, rows[i].end);
		scene_end(&scene);
	}
}

/* The server's own detail, hint and context, cut between characters where they are long. */
static void
worded(struct scene *scene)
{
	char detail[2048] = "";
	struct fakepq_rule *rule = fakepq_on("CREATE one");

	(void)scene;
	for (size_t i = 0; i < sizeof(detail) - 2; i += 2)
		memcpy(detail + i, "\u00e9", sizeof("\u00e9"));
	fakepq_error(rule, "42P07", "relation \"one\" already exists", 0);
	fakepq_error_fields(rule, detail, "drop it", "SQL statement \"CREATE one\"");
}

static void
test_words_of_server(void **state)
{
	static const struct scenario scenario = { .name = "worded", .script = worded };
	struct scene scene;
	const struct err *err = NULL;

	(void)state;
	scene_begin(&scene, &scenario);
	scene_play(&scene);
	err = &scene.run->err;
	assert_string_equal(err->hint, "drop it");
	assert_string_equal(err->context, "SQL statement \"CREATE one\"");
	assert_int_equal(strlen(err->detail), sizeof(err->detail) - 2);
	assert_string_equal(err->detail + sizeof(err->detail) - 4, "\u00e9");
	scene_end(&scene);
}

static void
test_failure_note(void **state)
{
	struct scene scene;

	(void)state;
	play(&scene, "part_fails_in_log");
	assert_non_null(
	    strstr(sent_with("'failed'"), "|0002_two.sql|0002_two.sql:1: syntax error"));
	scene_end(&scene);
}

static void
test_sqlstates(void **state)
{
	static const struct {
		const char *name;
		const char *sqlstate;
		const char *migration;
	} rows[] = {
		{ "commit_fails", "23503", "0001_one" },
		{ "commit_rolls_back", "", "0001_one" },
		{ "record_denied", "42501", "0001_one" },
		{ "lost_in_each_commit", "", "0001_one" },
		{ "lost_in_part", "", "0002_two" },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct scene scene;

		play(&scene, rows[i].name);
		assert_string_equal(scene.run->err.sqlstate, rows[i].sqlstate);
		assert_string_equal(scene.run->err.migration, rows[i].migration);
		scene_end(&scene);
	}
}

static void
test_lock_wait(void **state)
{
	struct scene scene;

	(void)state;
	play(&scene, "lock_once");
	assert_int_equal(scene.run->lock_attempts, 2);
	assert_in_range(scene.run->lock_wait_us, 20000, 5000000);
	assert_non_null(strstr(scene.run->lock_holder, "pid 4712"));
	scene_end(&scene);

	play(&scene, "lock_for_a_while");
	assert_in_range(scene.run->lock_attempts, 2, 10);
	assert_in_range(scene.run->lock_wait_us, 120000, 5000000);
	/* the question who has it holds two words more, however often it is asked */
	assert_in_range(scene.n_most, scene.n_first, scene.n_first + 2);
	scene_end(&scene);
}

/* ---- what is tried again, what is asked ---- */

static void
test_attempts(void **state)
{
	struct scene scene;

	(void)state;
	play(&scene, "again_twice");
	assert_int_equal(scene.run->attempts, 2);
	scene_end(&scene);

	play(&scene, "again_for_ever");
	assert_int_equal(fakepq_count("BEGIN;RESET"), 12);
	assert_int_equal(scene.run->attempts, 11);
	/* 0.5, 1, 2, 4, 8, and six times 10 s; at least the half of it */
	assert_in_range(scene.paused_ms, 37750, 75500);
	assert_string_equal(scene.run->err.migration, "0001_one");
	scene_end(&scene);
}

static void
test_reconnects(void **state)
{
	struct scene scene;

	(void)state;
	play(&scene, "lost_in_each_commit");
	assert_int_equal(scene.run->reconnects, 3);
	scene_end(&scene);

	play(&scene, "lost_behind_commit");
	assert_int_equal(scene.run->reconnects, 1);
	assert_int_equal(scene.run->n_planned, 2);
	assert_string_equal(scene.run->applied[1].id, "0002_two");
	scene_end(&scene);
}

static void
test_in_doubt(void **state)
{
	static const struct {
		const char *name;
		unsigned statement;
		const char *answers;
	} rows[] = { { "unknown_body", 2, "applied retry pending" },
		{ "changed", 1, "pending" },
		{ "changed_begun", 2, "applied retry pending" } };

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct scene scene;
		const struct err *err = NULL;

		play(&scene, rows[i].name);
		err = &scene.run->err;
		assert_true(scene.run->in_doubt);
		assert_string_equal(
		    scene.run->failed_checksum, scene.folder->migrations[0]->checksum);
		assert_int_equal(err_http_status(err), 409);
		assert_int_equal(err_exit_code(err), EXIT_REFUSED);
		assert_int_equal(err->statement, rows[i].statement);
		assert_string_equal(err->migration, "0001_mixed");
		assert_string_equal(err->answers, rows[i].answers);
		scene_end(&scene);
	}
}

/* ---- what is sent, word by word ---- */

static void
test_copy(void **state)
{
	struct scene scene;

	(void)state;
	play(&scene, "copy_with_data");
	assert_string_equal(fakepq_copied(), "1\ta\n2\tb\n");
	assert_int_equal(scene.run->statements, 2);
	scene_end(&scene);
}

static void
with_settings(struct scene *scene)
{
	folder_unref(scene->folder);
	scene->folder = script_folder("drizzle");
	script_add(scene->folder, "0001_set",
	    "-- migrationd: statement-timeout=7s\n-- migrationd: lock-timeout=3s\n"
	    "SET search_path = app;\nVACUUM;\nCREATE two;\n");
	script_tag("SET search_path = app;", "SET");
	script_tag("VACUUM", "VACUUM");
	/* which hold that SET, too */
	script_tag("RESET ALL", "BEGIN");
}

/* Timeouts of the file's own; what it SETs, in each segment; no lock_timeout where alone. */
static void
test_settings(void **state)
{
	static const struct scenario scenario = { .name = "set",
		.script = with_settings };
	struct scene scene;
	const char *begin = NULL;
	const char *alone = NULL;

	(void)state;
	scene_begin(&scene, &scenario);
	scene_play(&scene);
	assert_int_equal(scene.run->outcome, RUN_SUCCEEDED);
	begin = sent_with("SET LOCAL lock_timeout = 3000;");
	assert_non_null(strstr(begin, "SET LOCAL statement_timeout = 7000;"));
	assert_null(strstr(begin, "search_path"));
	alone = sent_with("SET SESSION statement_timeout = 7000;");
	assert_non_null(strstr(alone, "SET search_path = app;"));
	assert_non_null(strstr(alone, "'client_connection_check_interval', '0'"));
	assert_null(strstr(alone, "lock_timeout = 3000"));
	/* in the two behind the SET, and the SET itself */
	assert_int_equal(fakepq_count("SET search_path = app;"), 3);
	scene_end(&scene);
}

static void
test_warnings(void **state)
{
	struct scene scene;

	(void)state;
	play(&scene, "warned");
	assert_int_equal(scene.run->n_warnings, 2);
	scene_end(&scene);
}

static void
test_baseline_rows(void **state)
{
	struct scene scene;

	(void)state;
	play(&scene, "baseline");
	for (size_t i = 0; i < 2; i++)
		assert_true(scene.history->rows[i].baseline);
	assert_true(scene.history->table_exists);
	assert_int_equal(scene.run->statements, 0);
	scene_end(&scene);
}

/* ---- notices ---- */

#define NOISE 30

static void
noisy(struct scene *scene)
{
	char text[BOUND_NOTICES_PER_RUN * 40] = "";
	struct fakepq_rule *rule = fakepq_on("noise");

	for (int i = 0; i < NOISE; i++)
		fakepq_notice(rule, "NOTICE", "00000", "hear, hear");
	fakepq_tag(rule, "DO");
	for (size_t i = 0; i <= BOUND_NOTICES_PER_RUN / NOISE; i++)
		(void)snprintf(text + strlen(text), sizeof(text) - strlen(text),
		    "noise %zu%s", i, "--> statement-breakpoint");
	(void)snprintf(text + strlen(text), sizeof(text) - strlen(text), "noise");
	script_add(scene->folder, "0003_three", text);
	model_rows(scene->folder, 2);
}

static size_t
count_lines(FILE *file, const char *words)
{
	char line[BOUND_LOG_LINE + 1];
	size_t n = 0;

	rewind(file);
	while (fgets(line, sizeof(line), file))
		n += strstr(line, words) != NULL;
	return n;
}

static void
test_notices(void **state)
{
	static const struct scenario scenario = { .name = "noisy", .script = noisy };
	FILE *file = tmpfile();
	struct scene scene;

	(void)state;
	log_init(fileno(file), LOG_FORMAT_TEXT, LOG_INFO);
	scene_begin(&scene, &scenario);
	scene_play(&scene);
	log_init(STDERR_FILENO, LOG_FORMAT_TEXT, LOG_ERROR);
	assert_int_equal(scene.run->outcome, RUN_SUCCEEDED);
	assert_in_range(fakepq_count("noise") * NOISE, BOUND_NOTICES_PER_RUN + 1, 2000);
	assert_int_equal(count_lines(file, "hear, hear"), BOUND_NOTICES_PER_RUN);
	(void)fclose(file);
	scene_end(&scene);
}

/* ---- main ---- */

static struct CMUnitTest tests[MAX_SCENARIOS];
static size_t n_tests;

static void
add_test(const char *name, CMUnitTestFunction fn, const void *state)
{
	if (n_tests == MAX_SCENARIOS)
		abort();
	tests[n_tests++] = (struct CMUnitTest){
		.name = name,
		.test_func = fn,
		.initial_state = (void *)(uintptr_t)state,
	};
}

int
main(void)
{
	log_init(STDERR_FILENO, LOG_FORMAT_TEXT, LOG_ERROR);
	for (size_t l = 0; l < n_scenario_lists; l++)
		for (size_t i = 0; i < *scenario_lists[l].n; i++)
			add_test(scenario_lists[l].scenarios[i].name, check_scenario,
			    &scenario_lists[l].scenarios[i]);
	add_test("failure", test_failure, NULL);
	add_test("whose", test_whose, NULL);
	add_test("words_of_server", test_words_of_server, NULL);
	add_test("failure_note", test_failure_note, NULL);
	add_test("sqlstates", test_sqlstates, NULL);
	add_test("lock_wait", test_lock_wait, NULL);
	add_test("attempts", test_attempts, NULL);
	add_test("reconnects", test_reconnects, NULL);
	add_test("in_doubt", test_in_doubt, NULL);
	add_test("copy", test_copy, NULL);
	add_test("settings", test_settings, NULL);
	add_test("warnings", test_warnings, NULL);
	add_test("baseline_rows", test_baseline_rows, NULL);
	add_test("notices", test_notices, NULL);
	return _cmocka_run_group_tests("tests", tests, n_tests, NULL, NULL);
}
