/* SPDX-License-Identifier: PostgreSQL */
#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include <jansson.h>
#include <cmocka.h>

#include "base/bounds.h"
#include "base/log.h"
#include "base/utf8.h"

/* The log's reader: the other end of a pipe. */
static int ends[2];
static char output[4 * BOUND_LOG_LINE];

static int
setup(void **state)
{
	(void)state;
	unsetenv("JOURNAL_STREAM");
	return pipe2(ends, O_NONBLOCK);
}

static int
teardown(void **state)
{
	(void)state;
	close(ends[0]);
	close(ends[1]);
	return 0;
}

/* What has been written since the last look. */
static const char *
read_output(void)
{
	ssize_t n = read(ends[0], output, sizeof(output) - 1);

	output[n > 0 ? n : 0] = '\0';
	return output;
}

/* The line behind its time, which is checked: RFC 3339 in UTC, and now. */
static const char *
behind_time(const char *line)
{
	struct tm tm = { 0 };
	const char *rest = strptime(line, "%Y-%m-%dT%H:%M:%S.", &tm);
	time_t now = time(NULL);
	time_t then = timegm(&tm);

	assert_non_null(rest);
	assert_int_equal(strspn(rest, "0123456789"), 3);
	assert_int_equal(rest[3], 'Z');
	assert_in_range(then, now - 60, now);
	return rest + 4;
}

static void
test_text_lines(void **state)
{
	static const struct {
		const char *value;
		const char *shown;
	} rows[] = {
		{ "0043_add_x", "0043_add_x" },
		{ "", "\"\"" },
		{ "two words", "\"two words\"" },
		{ "a=b", "\"a=b\"" },
		{ "say \"hi\"", "\"say \\\"hi\\\"\"" },
		{ "back\\slash", "\"back\\\\slash\"" },
		{ "line\nbreak\t", "\"line\\nbreak\\t\"" },
		{ "\x1B[31m", "\"\\u001b[31m\"" },
		{ "\xC2\x9B", "\"\\u009b\"" },
		{ "\x7F", "\"\\u007f\"" },
		{ "gr\xC3\xBC\xC3\x9F", "\"gr\xC3\xBC\xC3\x9F\"" },
		{ "\xFF", "\"\xEF\xBF\xBD\"" },
	};
	char expected[256];

	(void)state;
	log_init(ends[1], LOG_FORMAT_TEXT, LOG_INFO);
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		log_info("applied", LOG_STR("migration", rows[i].value),
		    LOG_STR("absent", NULL), LOG_INT("migrationDuration", -412));
		snprintf(expected, sizeof(expected),
		    " INFO  applied migration=%s migrationDuration=-412\n",
		    rows[i].shown);
		assert_string_equal(behind_time(read_output()), expected);
	}
	log_warning("the file \"a\\b\"\nis bad");
	assert_string_equal(
	    behind_time(read_output()), " WARNING the file \"a\\b\"\\nis bad\n");
}

static void
test_json_lines(void **state)
{
	const char *line = NULL;

	(void)state;
	log_init(ends[1], LOG_FORMAT_JSON, LOG_INFO);
	log_info("say \"hi\"\n", LOG_STR("migration", "a\\b \xFF\x01"),
	    LOG_STR("absent", NULL), LOG_INT("n", INT64_MIN), LOG_STR("empty", ""));
	line = read_output();
	assert_memory_equal(line, "{\"timestamp\":\"", 14);
	assert_string_equal(behind_time(line + 14),
	    "\",\"level\":\"INFO\",\"message\":\"say \\\"hi\\\"\\n\","
	    "\"migration\":\"a\\\\b \xEF\xBF\xBD\\u0001\",\"n\":-9223372036854775808,"
	    "\"empty\":\"\"}\n");
}

static void
test_fields_of_an_error(void **state)
{
	struct err err = { 0 };

	(void)state;
	log_init(ends[1], LOG_FORMAT_TEXT, LOG_INFO);
	err_set(&err, CAT_SQL_ERROR, "relation \"x\" exists");
	log_error_with(&err, "apply failed", LOG_STR("run", "r1"));
	assert_string_equal(behind_time(read_output()),
	    " ERROR apply failed run=r1 category=SQL_ERROR "
	    "error=\"relation \\\"x\\\" exists\"\n");

	err_where(&err, "0001_x.sql", 12);
	err_hint(&err, "drop it");
	snprintf(err.sqlstate, sizeof(err.sqlstate), "42P07");
	log_warning_with(&err, "apply failed");
	assert_string_equal(behind_time(read_output()),
	    " WARNING apply failed category=SQL_ERROR error=\"relation \\\"x\\\" exists\" "
	    "sqlstate=42P07 file=0001_x.sql line=12 hint=\"drop it\"\n");
}

static void
test_levels(void **state)
{
	static const char *const names[] = { "ERROR", "WARNING", "INFO", "DEBUG" };

	(void)state;
	for (enum log_level at = LOG_ERROR; at < LOG_LEVEL_COUNT; at++) {
		log_init(ends[1], LOG_FORMAT_TEXT, at);
		assert_int_equal(log_level(), at);
		for (enum log_level level = LOG_ERROR; level < LOG_LEVEL_COUNT; level++) {
			uint64_t before = log_count(level);
			const char *line = NULL;

			log_event(level, NULL, "event", LOG_FIELDS());
			line = read_output();
			assert_int_equal(log_count(level), before + (level <= at));
			if (level <= at)
				assert_non_null(strstr(line, names[level]));
			else
				assert_string_equal(line, "");
		}
	}
	log_init(ends[1], LOG_FORMAT_TEXT, LOG_DEBUG);
	log_debug("a");
	log_error("b");
	assert_non_null(strstr(read_output(), " ERROR b\n"));
	assert_non_null(strstr(output, " DEBUG a\n"));
}

/* A long line is one line within the bound, and a program can still read it. */
static void
assert_cut(enum log_format format)
{
	const char *line = read_output();
	size_t len = strlen(line);
	json_t *json = NULL;

	assert_in_range(len, BOUND_LOG_LINE - 400, BOUND_LOG_LINE);
	assert_ptr_equal(strchr(line, '\n'), line + len - 1);
	assert_true(utf8_is_valid(line, len, NULL));
	if (format == LOG_FORMAT_TEXT) {
		assert_string_equal(line + len - 16, " truncated=true\n");
		return;
	}
	json = json_loads(line, 0, NULL);
	assert_non_null(json);
	assert_true(json_is_true(json_object_get(json, "truncated")));
	json_decref(json);
}

static void
test_long_lines_are_cut(void **state)
{
	static const enum log_format formats[] = { LOG_FORMAT_TEXT, LOG_FORMAT_JSON };
	static const char *const fillers[] = { "x", "\x01", "\"", "\xE2\x82\xAC",
		"\xFF" };
	char longer[2 * BOUND_LOG_LINE];

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(fillers) * ARRAY_SIZE(formats); i++) {
		enum log_format format = formats[i % ARRAY_SIZE(formats)];
		const char *filler = fillers[i / ARRAY_SIZE(formats)];
		size_t len = 0;

		for (; len + strlen(filler) < sizeof(longer); len += strlen(filler))
			memcpy(longer + len, filler, strlen(filler));
		longer[len] = '\0';
		log_init(ends[1], format, LOG_INFO);
		log_info(longer, LOG_STR("a", "b"), LOG_INT("n", 1));
		assert_cut(format);
		log_info("m", LOG_STR("a", longer), LOG_STR("b", "c"), LOG_INT("n", 1));
		assert_non_null(strstr(read_output(), "..."));
		assert_null(strstr(output, "\"c\""));
	}
}

/* Every length around the bound, in both formats: the end must never run over. */
static void
test_lines_around_the_bound(void **state)
{
	char value[BOUND_LOG_LINE + 1];
	json_t *json = NULL;

	(void)state;
	for (size_t len = BOUND_LOG_LINE - 200; len < BOUND_LOG_LINE; len++) {
		memset(value, 'x', len);
		value[len] = '\0';
		log_init(ends[1], LOG_FORMAT_JSON, LOG_INFO);
		log_info(
		    "m", LOG_STR("v", value), LOG_INT("n", INT64_MIN), LOG_STR("b", "c"));
		json = json_loads(read_output(), 0, NULL);
		assert_non_null(json);
		assert_int_equal(strstr(output, "\"b\":\"c\"") == NULL,
		    json_is_true(json_object_get(json, "truncated")));
		json_decref(json);
		assert_in_range(strlen(output), 1, BOUND_LOG_LINE);

		log_init(ends[1], LOG_FORMAT_TEXT, LOG_INFO);
		log_info("m", LOG_STR("v", value), LOG_INT("n", INT64_MIN),
		    LOG_STR("b", "c d"));
		read_output();
		assert_int_equal(strstr(output, "b=\"c d\"") == NULL,
		    strstr(output, "truncated=true\n") != NULL);
		assert_in_range(strlen(output), 1, BOUND_LOG_LINE);
	}
}

static void
assert_dropped(void)
{
	uint64_t dropped = log_dropped();
	uint64_t count = log_count(LOG_INFO);

	log_info("lost");
	assert_int_equal(log_dropped(), dropped + 1);
	assert_int_equal(log_count(LOG_INFO), count);
}

static void
test_a_full_pipe_drops_the_line(void **state)
{
	static const char filler[4096];
	uint64_t count = log_count(LOG_INFO);

	(void)state;
	while (write(ends[1], filler, sizeof(filler)) > 0)
		;
	/* standard error blocks, as a rule: the look before the write must be enough */
	assert_int_equal(fcntl(ends[1], F_SETFL, 0), 0);
	log_init(ends[1], LOG_FORMAT_TEXT, LOG_INFO);
	assert_dropped();
	while (read(ends[0], output, sizeof(output)) > 0)
		;
	log_info("back");
	assert_non_null(strstr(read_output(), " INFO  back\n"));
	assert_int_equal(log_count(LOG_INFO), count + 1);
}

static void
test_a_reader_that_is_gone_drops_the_line(void **state)
{
	const struct sigaction ignore = { .sa_handler = SIG_IGN };
	struct sigaction before = { 0 };

	(void)state;
	sigaction(SIGPIPE, &ignore, &before);
	log_init(ends[1], LOG_FORMAT_TEXT, LOG_INFO);
	close(ends[0]);
	assert_dropped();
	log_init(-1, LOG_FORMAT_TEXT, LOG_INFO); /* no standard error at all */
	assert_dropped();
	log_init(1 << 20, LOG_FORMAT_TEXT, LOG_INFO);
	assert_dropped();
	assert_int_equal(pipe2(ends, O_NONBLOCK), 0);
	sigaction(SIGPIPE, &before, NULL);
}

static void
test_priority_under_the_journal(void **state)
{
	static const char *const priorities[] = { "<3>", "<4>", "<6>", "<7>" };
	struct stat st = { 0 };
	char stream[64];

	(void)state;
	assert_int_equal(fstat(ends[1], &st), 0);
	snprintf(stream, sizeof(stream), "%ju:%ju", (uintmax_t)st.st_dev,
	    (uintmax_t)st.st_ino);
	setenv("JOURNAL_STREAM", stream, 1);
	log_init(ends[1], LOG_FORMAT_TEXT, LOG_DEBUG);
	for (enum log_level level = LOG_ERROR; level < LOG_LEVEL_COUNT; level++) {
		log_event(level, NULL, "event", LOG_FIELDS());
		assert_memory_equal(read_output(), priorities[level], 3);
		behind_time(output + 3);
	}
	log_init(ends[1], LOG_FORMAT_JSON, LOG_DEBUG);
	log_info("event");
	assert_int_equal(read_output()[0], '{');

	/* systemd set it for a standard error that was redirected since */
	setenv("JOURNAL_STREAM", "8:1", 1);
	log_init(ends[1], LOG_FORMAT_TEXT, LOG_DEBUG);
	log_info("event");
	behind_time(read_output());
	log_init(-1, LOG_FORMAT_TEXT, LOG_DEBUG);
	unsetenv("JOURNAL_STREAM");
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_text_lines, setup, teardown),
		cmocka_unit_test_setup_teardown(test_json_lines, setup, teardown),
		cmocka_unit_test_setup_teardown(test_fields_of_an_error, setup, teardown),
		cmocka_unit_test_setup_teardown(test_levels, setup, teardown),
		cmocka_unit_test_setup_teardown(test_long_lines_are_cut, setup, teardown),
		cmocka_unit_test_setup_teardown(
		    test_lines_around_the_bound, setup, teardown),
		cmocka_unit_test_setup_teardown(
		    test_a_full_pipe_drops_the_line, setup, teardown),
		cmocka_unit_test_setup_teardown(
		    test_a_reader_that_is_gone_drops_the_line, setup, teardown),
		cmocka_unit_test_setup_teardown(
		    test_priority_under_the_journal, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
