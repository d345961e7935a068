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

#define MAX_SCENARIOS 128

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
	scene_end(&scene);
}

/* ---- what a line of the table cannot say ---- */

static const struct scenario *
find(const struct scenario *list, size_t n, const char *name)
{
	for (size_t i = 0; i < n; i++)
		if (strcmp(list[i].name, name) == 0)
			return &list[i];
	fail_msg("no scenario %s", name);
	return NULL;
}

static void
play(struct scene *scene, const char *name)
{
	const struct scenario *scenario =
	    strncmp(name, "lock", 4) == 0 || strcmp(name, "warned") == 0
	    ? find(scenarios_open, n_scenarios_open, name)
	    : find(scenarios_apply, n_scenarios_apply, name);

	scene_begin(scene, scenario);
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

static void
add_scenarios(const struct scenario *list, size_t n)
{
	for (size_t i = 0; i < n; i++)
		add_test(list[i].name, check_scenario, &list[i]);
}

int
main(void)
{
	log_init(STDERR_FILENO, LOG_FORMAT_TEXT, LOG_ERROR);
	add_scenarios(scenarios_open, n_scenarios_open);
	add_scenarios(scenarios_apply, n_scenarios_apply);
	add_scenarios(scenarios_stop, n_scenarios_stop);
	add_test("failure", test_failure, NULL);
	add_test("words_of_server", test_words_of_server, NULL);
	add_test("failure_note", test_failure_note, NULL);
	add_test("sqlstates", test_sqlstates, NULL);
	add_test("lock_wait", test_lock_wait, NULL);
	add_test("warnings", test_warnings, NULL);
	add_test("baseline_rows", test_baseline_rows, NULL);
	add_test("notices", test_notices, NULL);
	return _cmocka_run_group_tests("tests", tests, n_tests, NULL, NULL);
}
