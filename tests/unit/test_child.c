/* SPDX-License-Identifier: PostgreSQL */
#include <errno.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/macros.h"
#include "base/mem.h"
#include "db/child.h"
#include "db/password.h"

struct seen {
	uv_loop_t loop;
	struct child *child;
	unsigned n;
	struct err err;
	int exit_code;
	char output[256];
	char errors[256];
	char password[64];
	struct password_memory *memory;
	bool cut;
};

static void
on_end(void *arg, const struct child_end *end)
{
	struct seen *seen = arg;

	seen->n++;
	seen->err = end->err;
	seen->exit_code = end->exit_code;
	seen->cut = end->cut;
	(void)snprintf(seen->output, sizeof(seen->output), "%s", end->output);
	(void)snprintf(seen->errors, sizeof(seen->errors), "%s", end->errors);
	assert_int_equal(strlen(end->output), end->output_len);
	child_close(seen->child); /* it is over: nothing */
}

static void
finish(struct seen *seen)
{
	assert_int_equal(uv_run(&seen->loop, UV_RUN_DEFAULT), 0);
	assert_int_equal(uv_loop_close(&seen->loop), 0);
}

static void
run(struct seen *seen, const char *script, const struct child_params *how)
{
	const char *argv[] = { "sh", "-c", script, NULL };
	struct child_params params = *how;
	struct err err = { 0 };

	*seen = (struct seen){ 0 };
	(void)uv_loop_init(&seen->loop);
	if (!params.argv)
		params.argv = (char *const *)(uintptr_t)argv;
	if (params.timeout_ms == 0)
		params.timeout_ms = 20000;
	if (params.max_output == 0)
		params.max_output = 16;
	seen->child = child_start(&seen->loop, &params, on_end, seen, &err);
	assert_non_null(seen->child);
	assert_int_equal(seen->n, 0);
	finish(seen);
	assert_int_equal(seen->n, 1);
}

static void
test_ends(void **state)
{
	static const char *const missing[] = { "/nonexistent/program", NULL };
	static const char *const directory[] = { "/", NULL };
	static const char *const environ_of[] = { "PATH=/usr/bin:/bin", "A=b", NULL };
	static const struct {
		const char *script;
		struct child_params params;
		enum category category;
		int exit_code;
		const char *output;
		const char *errors;
		bool cut;
		const char *text; /* of the error */
	} rows[] = {
		{ "echo out; echo err >&2", { 0 }, CAT_NONE, 0, "out\n", "err\n", false,
		    NULL },
		{ "cat", { .input = "in", .input_len = 2 }, CAT_NONE, 0, "in", "", false,
		    NULL },
		{ "cat", { 0 }, CAT_NONE, 0, "", "", false, NULL },
		{ "true", { .input = "unread", .input_len = 6 }, CAT_NONE, 0, "", "",
		    false, NULL },
		{ "echo $A", { .environ = (char *const *)(uintptr_t)environ_of },
		    CAT_NONE, 0, "b\n", "", false, NULL },
		{ "echo 12345678901234567", { 0 }, CAT_NONE, 0, "1234567890123456", "",
		    true, NULL },
		{ "yes", { .strict = true }, CAT_CONFIGURATION, 137,
		    "y\ny\ny\ny\ny\ny\ny\ny\n", "", true,
		    "sh printed more than 16 bytes" },
		{ "echo 12345678901234567 >&2", { .strict = true }, CAT_NONE, 0, "",
		    "1234567890123456", true, NULL },
		{ "exit 3", { 0 }, CAT_NETWORK_ERROR, 3, "", "", false,
		    "sh ended with exit code 3" },
		{ "kill -9 $$", { 0 }, CAT_NETWORK_ERROR, 137, "", "", false,
		    "sh was ended by signal 9 (Killed)" },
		{ "sleep 60", { .timeout_ms = 50 }, CAT_NETWORK_ERROR, 143, "", "", false,
		    "sh did not end within 50 ms" },
		{ "trap '' TERM; sleep 60; sleep 60", { .timeout_ms = 50 },
		    CAT_NETWORK_ERROR, 137, "", "", false,
		    "sh did not end within 50 ms" },
		{ NULL, { .argv = (char *const *)(uintptr_t)missing }, CAT_CONFIGURATION,
		    127, "", "", false, "there is no such program" },
		{ NULL, { .argv = (char *const *)(uintptr_t)directory },
		    CAT_CONFIGURATION, 126, "", "", false, "cannot be executed" },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct seen seen;

		run(&seen, rows[i].script, &rows[i].params);
		assert_int_equal(seen.err.category, rows[i].category);
		assert_int_equal(seen.exit_code, rows[i].exit_code);
		assert_string_equal(seen.output, rows[i].output);
		assert_string_equal(seen.errors, rows[i].errors);
		assert_int_equal(seen.cut, rows[i].cut);
		if (rows[i].text)
			assert_non_null(strstr(seen.err.text, rows[i].text));
	}
}

static bool
is_alive(const char *pid)
{
	return kill((pid_t)strtol(pid, NULL, 10), 0) == 0;
}

/* A zombie's parent is init, or whoever plays its part here: it may take a moment. */
static void
assert_gone(const char *pid)
{
	int64_t until_us = clock_mono_us() + 5000000;
	char path[64];

	(void)snprintf(path, sizeof(path), "/proc/%ld/stat", strtol(pid, NULL, 10));
	while (is_alive(pid)) {
		char state = 'Z';
		FILE *file = fopen(path, "r");

		if (file) {
			(void)!fscanf(file, "%*d (%*[^)]) %c", &state);
			(void)fclose(file);
		}
		if (state == 'Z')
			return;
		assert_true(clock_mono_us() < until_us);
	}
}

/* What it leaves running ends with it. */
static void
test_leaves_nothing(void **state)
{
	struct seen seen;

	(void)state;
	run(&seen, "sleep 60 & echo $!", &(struct child_params){ 0 });
	assert_int_equal(seen.err.category, CAT_NONE);
	assert_gone(seen.output);
}

static void
close_soon(uv_timer_t *timer)
{
	struct seen *seen = timer->data;

	child_close(seen->child);
	child_close(NULL);
	uv_close((uv_handle_t *)timer, NULL);
}

/* Closed at once, and in the middle: nobody is called, nothing is left. */
static void
test_close(void **state)
{
	(void)state;
	for (unsigned pause_ms = 0; pause_ms < 200; pause_ms += 40) {
		const char *argv[] = { "sh", "-c", "sleep 60 & sleep 60", NULL };
		struct child_params params = {
			.argv = (char *const *)(uintptr_t)argv,
			.timeout_ms = 60000,
			.max_output = 1,
		};
		struct seen seen = { 0 };
		struct err err = { 0 };
		uv_timer_t timer;

		(void)uv_loop_init(&seen.loop);
		seen.child = child_start(&seen.loop, &params, on_end, &seen, &err);
		(void)uv_timer_init(&seen.loop, &timer);
		timer.data = &seen;
		(void)uv_timer_start(&timer, close_soon, pause_ms, 0);
		finish(&seen);
		assert_int_equal(seen.n, 0);
	}
}

/* ---- what it inherits ---- */

/* What systemd says to us is for nobody else, whatever the child is for. */
static void
test_environ(void **state)
{
	static const char *const ours[] = { "NOTIFY_SOCKET", "WATCHDOG_USEC",
		"LISTEN_FDS", "LISTEN_PID", "JOURNAL_STREAM" };
	static char shell[] = "sh", flag[] = "-c";
	static char script[] =
	    "echo $OTHER ${NOTIFY_SOCKET-}${WATCHDOG_USEC-}${LISTEN_FDS-}${LISTEN_PID-}"
	    "${JOURNAL_STREAM-}";
	static char *const argv[] = { shell, flag, script, NULL };
	const struct child_params params = {
		.argv = argv, .timeout_ms = 20000, .max_output = 100
	};
	struct seen seen = { 0 };
	struct err err = { 0 };

	(void)state;
	(void)setenv("OTHER", "kept", 1);
	for (size_t i = 0; i < ARRAY_SIZE(ours); i++)
		(void)setenv(ours[i], "x", 1);
	(void)uv_loop_init(&seen.loop);
	seen.child = child_start(&seen.loop, &params, on_end, &seen, &err);
	finish(&seen);
	for (size_t i = 0; i < ARRAY_SIZE(ours); i++)
		(void)unsetenv(ours[i]);
	assert_string_equal(seen.output, "kept\n");
}

/* ---- password_command ---- */

static void
on_password(void *arg, const char *password, const struct err *err)
{
	struct seen *seen = arg;

	seen->n++;
	seen->err = *err;
	(void)snprintf(
	    seen->password, sizeof(seen->password), "%s", password ? password : "-");
}

static void
test_password(void **state)
{
	static const struct {
		const char *command;
		const char *password; /* "-": none */
		enum category category;
		const char *text; /* of the error */
	} rows[] = {
		{ "echo s3cret", "s3cret", CAT_NONE, "" },
		{ "sh -c 'echo s3cret >&2; echo s3cret'", "s3cret", CAT_NONE, "" },
		{ "sh -c 'echo s3cret >&2; echo s3cret; exit 1'", "-", CAT_NETWORK_ERROR,
		    "password_command: sh ended with exit code 1" },
		{ "sh -c 'echo a; echo s3cret'", "-", CAT_CONFIGURATION,
		    "password_command: its output has more than the one line" },
		{ "true", "-", CAT_CONFIGURATION,
		    "password_command: its output is empty" },
		{ "sleep 60", "-", CAT_NETWORK_ERROR,
		    "password_command: sleep did not end within 300 ms" },
		{ "yes", "-", CAT_CONFIGURATION,
		    "password_command: yes printed more than 8192 bytes" },
		{ "'", "-", CAT_CONFIGURATION, "password_command: a quote" },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct seen seen = { .memory = mem_zero(NULL, struct password_memory) };

		(void)uv_loop_init(&seen.loop);
		(void)password_ask(
		    &seen.loop, rows[i].command, 300, seen.memory, on_password, &seen);
		assert_int_equal(seen.n, 0);
		finish(&seen);
		assert_int_equal(seen.n, 1);
		assert_string_equal(seen.password, rows[i].password);
		assert_int_equal(seen.err.category, rows[i].category);
		assert_non_null(strstr(seen.err.text, rows[i].text));
		assert_null(strstr(seen.err.text, "s3cret"));
		/* of one that is none nothing is kept */
		if (seen.err.category == CAT_NONE)
			assert_string_equal(seen.memory->last, rows[i].password);
		else
			assert_null(seen.memory->last);
		talloc_free(seen.memory);
	}
}

/* Each target has its own, and what another has said before is news here. */
static void
test_password_complaints(void **state)
{
	static const char fails[] = "sh -c 'echo no vault >&2; exit 1'";
	static const struct {
		unsigned memory;
		const char *command;
		bool is_news;
	} rows[] = {
		{ 0, fails, true },
		{ 0, fails, false },
		{ 1, fails, true },
		{ 1, "echo fine", false },
		{ 0, fails, false },
		{ 1, fails, true },
		{ 1, "sh -c 'echo sealed >&2; exit 1'", true },
	};
	void *ctx = mem_context(NULL, "test");
	struct password_memory *memories[] = { mem_zero(ctx, struct password_memory),
		mem_zero(ctx, struct password_memory) };

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct password_memory *memory = memories[rows[i].memory];
		struct seen seen = { 0 };
		int64_t before = memory->complaint;

		(void)uv_loop_init(&seen.loop);
		(void)password_ask(
		    &seen.loop, rows[i].command, 20000, memory, on_password, &seen);
		finish(&seen);
		assert_int_equal(memory->complaint != 0, seen.err.category != CAT_NONE);
		assert_int_equal(memory->complaint != 0 && memory->complaint != before,
		    rows[i].is_news);
	}
	talloc_free(ctx);
}

static void
test_password_drop(void **state)
{
	static const char *const commands[] = { "sleep 60", "'" };

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(commands); i++) {
		struct seen seen = { 0 };

		(void)uv_loop_init(&seen.loop);
		password_drop(password_ask(
		    &seen.loop, commands[i], 60000, NULL, on_password, &seen));
		password_drop(NULL);
		finish(&seen);
		assert_int_equal(seen.n, 0);
	}
}

static int
silence(void **state)
{
	(void)state;
	log_init(-1, LOG_FORMAT_TEXT, LOG_ERROR);
	return 0;
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_ends),
		cmocka_unit_test(test_leaves_nothing),
		cmocka_unit_test(test_close),
		cmocka_unit_test(test_environ),
		cmocka_unit_test(test_password),
		cmocka_unit_test(test_password_complaints),
		cmocka_unit_test(test_password_drop),
	};

	return cmocka_run_group_tests(tests, silence, NULL);
}
