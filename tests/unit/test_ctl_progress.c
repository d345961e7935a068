/* SPDX-License-Identifier: PostgreSQL */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "base/mem.h"
#include "ctl/progress.h"

#define SECOND INT64_C(1000000)

/* The documents of one run, and the lines that each of them adds. */
static const struct {
	const char *document;
	const char *lines;
} course[] = {
	{ "{'id': 'r1', 'operation': 'apply', 'joined': true, 'state_text': 'connecting',"
	  " 'planned': 0, 'applied': []}",
	    "joined apply r1\n" },
	{ "{'lock_holder': 'pid 7', 'applied': []}", "waiting   for pid 7\n" },
	{ "{'lock_holder': 'pid 7', 'applied': []}", "" },
	{ "{'planned': 2, 'current': 'a', 'applied': [], 'warnings': ['w\\u001b']}",
	    "warning   w\\x1b\nrunning   a\n" },
	{ "{'planned': 2, 'current': 'a', 'applied': [], 'warnings': ['w\\u001b'],"
	  " 'blockers': [{'pid': 9, 'application': 'psql', 'user': 'u', 'state': 's',"
	  " 'query': 'q'}]}",
	    "blocked   by pid 9 (psql as u, s): q\n" },
	{ "{'planned': 2, 'current': 'a', 'attempts': 1, 'warnings': ['w\\u001b'],"
	  " 'progress': {'command': 'CREATE INDEX', 'phase': 'scanning', 'percent': 25}}",
	    "again     a lock was in the way\nphase     CREATE INDEX, scanning\n" },
	{ "{'planned': 2, 'current': 'b', 'attempts': 1,"
	  " 'applied': [{'id': 'a', 'duration_seconds': 0.412}]}",
	    "applied   a  412 ms\nrunning   b\n" },
	{ "{'planned': 2, 'attempts': 1, 'outcome': 'succeeded', 'duration_seconds': 2,"
	  " 'applied': [{'id': 'a', 'duration_seconds': 0.412},"
	  " {'id': 'b', 'duration_seconds': 1}]}",
	    "applied   b  1.0 s\nsucceeded: 2 migrations in 2.0 s\n" },
	{ "{'planned': 2, 'attempts': 1, 'outcome': 'succeeded', 'duration_seconds': 2,"
	  " 'applied': [{'id': 'a', 'duration_seconds': 0.412},"
	  " {'id': 'b', 'duration_seconds': 1}]}",
	    "" },
};

/* JSON with ' for ". */
static json_t *
read_json(const char *text)
{
	char *copy = mem_strdup(NULL, text);
	json_t *document;

	for (char *c = copy; *c; c++) {
		if (*c == '\'')
			*c = '"';
	}
	document = json_loads(copy, 0, NULL);
	assert_non_null(document);
	talloc_free(copy);
	return document;
}

static void
test_lines(void **state)
{
	struct progress progress = { 0 };

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(course); i++) {
		json_t *run = read_json(course[i].document);
		struct paint out;

		paint_init(&out, NULL, false);
		progress_feed(&progress, run, (int64_t)i * SECOND, &out);
		assert_string_equal(out.text.data, course[i].lines);
		talloc_free(out.text.data);
		json_decref(run);
	}
}

/* For hours a line for each look would fill the log of a job. */
static void
test_batches_are_told_now_and_then(void **state)
{
	struct progress progress = { 0 };
	struct paint out;

	(void)state;
	paint_init(&out, NULL, false);
	for (int second = 0; second <= 60; second++) {
		char document[512];
		json_t *run;

		snprintf(document, sizeof(document),
		    "{'id': '1', 'operation': 'apply', 'current': '0001_fill',"
		    " 'batch': {'batches': %d}, 'progress': {'command': 'batches',"
		    " 'phase': '%d done', 'unit': 'rows', 'percent': %d,"
		    " 'rate_per_second': 1000.4, 'eta_seconds': 5}}",
		    second, second, second);
		run = read_json(document);
		progress_feed(&progress, run, second * SECOND, &out);
		json_decref(run);
	}
	assert_string_equal(out.text.data,
	    "run apply 1\nrunning   0001_fill\n"
	    "progress  batches, 0 done, 0.0 %, 1000 rows/s, 5.0 s left\n"
	    "progress  batches, 30 done, 30.0 %, 1000 rows/s, 5.0 s left\n"
	    "progress  batches, 60 done, 60.0 %, 1000 rows/s, 5.0 s left\n");
	talloc_free(out.text.data);
}

static void
test_ends(void **state)
{
	static const struct {
		const char *document;
		const char *end;
	} rows[] = {
		{ "{'outcome': 'succeeded'}", "succeeded: nothing was to do\n" },
		{ "{'outcome': 'failed', 'duration_seconds': 0.005}",
		    "failed: 0 migrations in 5 ms\n" },
		{ "{'outcome': 'cancelled', 'duration_seconds': 1,"
		  " 'applied': [{'id': 'a'}]}",
		    "applied   a  \ncancelled: 1 migration in 1.0 s\n" },
		{ "{'outcome': 'succeeded', 'migration': 'a', 'before': 'applied',"
		  " 'after': 'pending', 'action': 'pending'}",
		    "succeeded: a was applied, is pending\n" },
		{ "{'outcome': 'succeeded', 'duration_seconds': 1, 'operation': 'baseline',"
		  " 'applied': [{'id': 'a'}]}",
		    "recorded  a  \nsucceeded: 1 migration in 1.0 s\n" },
		{ "{'outcome': 'succeeded', 'migration': 'a', 'action': 'retry'}",
		    "succeeded: retry a\n" },
		/* a phase that stops nothing: told once, and never "nothing" */
		{ "{'outcome': 'succeeded', 'duration_seconds': 1, 'failed': 1,"
		  " 'warnings': ['d.sql:1: no', 'else'], 'phases':"
		  " [{'failures': []}, {'failures': [{'detail': 'd.sql:1: no'}]}]}",
		    "warning   else\nfailed    d.sql:1: no\n"
		    "succeeded: 0 migrations in 1.0 s, failed 1\n" },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct progress progress = { .began = true };
		json_t *run = read_json(rows[i].document);
		struct paint out;

		paint_init(&out, NULL, false);
		progress_feed(&progress, run, 0, &out);
		assert_string_equal(out.text.data, rows[i].end);
		talloc_free(out.text.data);
		json_decref(run);
	}
}

/* A phase that goes on after a failure, the bar that shows what runs, the way back. */
static void
test_other_runs(void **state)
{
	static const struct {
		const char *document;
		bool has_bar;
		const char *lines;
	} rows[] = {
		{ "{'phases': [{'phase': 'schema'}, {'phase': 'data', 'failures':"
		  " [{'detail': 'd.sql: no'}, {'detail': 'e.sql: no'}]}]}",
		    false, "failed    d.sql: no\nfailed    e.sql: no\n" },
		{ "{'current': 'a', 'progress': {'command': 'VACUUM'}}", true, "" },
		{ "{'applied': [], 'rolled_back': [{'id': 'a', 'duration_seconds': 1}]}",
		    false, "undone    a  1.0 s\n" },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct progress progress = { .began = true, .has_bar = rows[i].has_bar };
		json_t *run = read_json(rows[i].document);
		struct paint out;

		paint_init(&out, NULL, false);
		progress_feed(&progress, run, 0, &out);
		assert_string_equal(out.text.data, rows[i].lines);
		text_reset(&out.text);
		progress_feed(&progress, run, 0, &out);
		assert_string_equal(out.text.data, "");
		talloc_free(out.text.data);
		json_decref(run);
	}
}

static void
test_bar(void **state)
{
	static const struct {
		const char *document;
		size_t columns;
		const char *bar;
	} rows[] = {
		{ "{'state_text': 'connecting'}", 80,
		    "[--------------------] 0/0  connecting" },
		{ "{'planned': 2, 'current': 'b', 'applied': [1]}", 80,
		    "[##########----------] 1/2  b  3.0 s" },
		{ "{'planned': 2, 'current': 'b', 'applied': [1]}", 30,
		    "[##########----------] 1/2  b " },
		{ "{'planned': 1, 'current': 'b',"
		  " 'progress': {'phase': 'scanning', 'percent': 25.4}}",
		    80, "[--------------------] 0/1  b  scanning 25 %  3.0 s" },
		{ "{'planned': 1, 'current': 'b', 'progress': {'phase': '2 done',"
		  " 'percent': 25.4, 'eta_seconds': 7.5}}",
		    80, "[--------------------] 0/1  b  2 done 25 %, 7.5 s left  3.0 s" },
		{ "{'planned': 1, 'current': 'b', 'blockers': [{'pid': 9}]}", 80,
		    "[--------------------] 0/1  b  waits for pid 9  3.0 s" },
		{ "{'planned': 1, 'applied': [1, 2]}", 80, NULL },
		{ "{'state_text': '\xc3\xa4\xc3\xa4\xc3\xa4'}", 30,
		    "[--------------------] 0/0  \xc3\xa4\xc3\xa4" },
		{ "{'state_text': 'x'}", 3, "[--------------------] 0/0  " },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct progress progress = { 0 };
		json_t *run = read_json(rows[i].document);
		struct paint lines, bar;

		paint_init(&lines, NULL, false);
		paint_init(&bar, lines.text.data, false);
		progress_feed(&progress, run, 0, &lines);
		progress_bar(&progress, run, 3 * SECOND, rows[i].columns, &bar);
		if (rows[i].bar)
			assert_string_equal(bar.text.data, rows[i].bar);
		talloc_free(lines.text.data);
		json_decref(run);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_lines),
		cmocka_unit_test(test_batches_are_told_now_and_then),
		cmocka_unit_test(test_ends),
		cmocka_unit_test(test_other_runs),
		cmocka_unit_test(test_bar),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
