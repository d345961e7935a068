/* SPDX-License-Identifier: PostgreSQL */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/failpoint.h"
#include "tempdir.h"

#define LONG                                       \
	"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa" \
	"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa" \
	"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"

static void
must_set(const char *spec)
{
	struct err err = { 0 };

	assert_int_equal(failpoint_set(spec, &err), 0);
	assert_false(err_is_set(&err));
}

/* Walk past the places "a", "b:x" and "a" in a child: its status, as waitpid has it. */
static int
status_of_walk(const char *spec, int options)
{
	int status = 0;
	pid_t pid = fork();

	assert_true(pid >= 0);
	if (pid == 0) {
		must_set(spec);
		failpoint_pass(-1, "%s", "a");
		failpoint_pass(-1, "b:%c", 'x');
		failpoint_pass(-1, "%s", "a");
		exit(0);
	}
	assert_int_equal(waitpid(pid, &status, options), pid);
	if (WIFSTOPPED(status)) {
		int rest = 0;

		assert_int_equal(kill(pid, SIGCONT), 0);
		assert_int_equal(waitpid(pid, &rest, 0), pid);
		assert_true(WIFEXITED(rest) && WEXITSTATUS(rest) == 0);
	}
	return status;
}

static void
test_ends(void **state)
{
	static const struct {
		const char *spec;
		int signal; /* that ended or stopped it; 0: none */
		int exit_code;
	} rows[] = {
		{ NULL, 0, 0 },
		{ "", 0, 0 },
		{ "c=kill,a:3=kill,*:4=kill", 0, 0 },
		{ "a=kill", SIGKILL, 0 },
		{ "a:2=kill", SIGKILL, 0 },
		{ "b:x=kill", SIGKILL, 0 },
		{ "b:x:1=kill", SIGKILL, 0 },
		{ "*:3=kill", SIGKILL, 0 },
		{ "b:x=exit,a:2=kill", 0, EXIT_INTERNAL },
		{ "a:2=kill,b:x=exit", 0, EXIT_INTERNAL },
		{ "b:x=hang", SIGSTOP, 0 },
		{ "b:x=drop", 0, 0 },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		int status = status_of_walk(rows[i].spec, WUNTRACED);
		int number = WIFSTOPPED(status) ? WSTOPSIG(status)
		    : WIFSIGNALED(status)       ? WTERMSIG(status)
						: 0;

		assert_int_equal(number, rows[i].signal);
		if (number == 0)
			assert_int_equal(WEXITSTATUS(status), rows[i].exit_code);
	}
}

static void
test_drop(void **state)
{
	int pair[2];
	char c = 'c';

	(void)state;
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, pair), 0);
	must_set("sent:2=drop");
	failpoint_pass(pair[0], "%s", "sent");
	assert_int_equal(send(pair[1], &c, 1, 0), 1);
	failpoint_pass(pair[0], "%s", "sent");
	/* the other side reads the end, and cannot send */
	assert_int_equal(recv(pair[1], &c, 1, 0), 0);
	assert_int_equal(send(pair[1], &c, 1, MSG_NOSIGNAL), -1);
	(void)close(pair[0]);
	(void)close(pair[1]);
}

static void
test_sleep(void **state)
{
	int64_t before_us = clock_mono_us();

	(void)state;
	must_set("a=sleep:30");
	failpoint_pass(-1, "%s", "a");
	assert_true(clock_mono_us() - before_us >= 30000);
}

static void
test_trace(void **state)
{
	char *spec = NULL;
	char *path = NULL;
	char text[64] = "";
	FILE *file = NULL;

	assert_true(asprintf(&path, "%s/trace", (char *)*state) > 0);
	assert_true(asprintf(&spec, "trace=%s", path) > 0);
	must_set(spec);
	failpoint_pass(-1, "%s", "a");
	failpoint_pass(-1, "state:%s>%s", "begin", "part");
	file = fopen(path, "r");
	assert_non_null(file);
	assert_true(fread(text, 1, sizeof(text) - 1, file) > 0);
	(void)fclose(file);
	assert_string_equal(text, "a\nstate:begin>part\n");
	/* a file that cannot be opened is no reason to fail */
	must_set("trace=/nonexistent/trace");
	failpoint_pass(-1, "%s", "a");
	free(spec);
	free(path);
}

static void
test_bad(void **state)
{
	static const char *const specs[] = {
		"a",
		"a=",
		"a=die",
		"a=kill,b",
		"a=kill=kill:kill",
		"a=kill,a=kill,a=kill,a=kill,a=kill,a=kill,a=kill,a=kill,a=kill,"
		"a=kill,a=kill,a=kill,a=kill,a=kill,a=kill,a=kill,a=kill",
		LONG LONG LONG "=kill",
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(specs); i++) {
		struct err err = { 0 };

		assert_int_equal(failpoint_set(specs[i], &err), -1);
		assert_int_equal(err.category, CAT_CONFIGURATION);
		assert_non_null(strstr(err.text, "failpoint \""));
	}
	must_set(NULL);
}

/* In a child, for the environment is read at the first passing alone. */
static void
test_environment(void **state)
{
	static const struct {
		const char *spec;
		int exit_code;
	} rows[] = {
		{ "a=exit", EXIT_INTERNAL },
		{ "b=exit", 0 },
		{ "nonsense", EXIT_USAGE },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		int status = 0;
		pid_t pid = fork();

		assert_true(pid >= 0);
		if (pid == 0) {
			(void)setenv("MIGRATIOND_FAILPOINT", rows[i].spec, 1);
			failpoint_pass(-1, "%s", "a");
			exit(0);
		}
		assert_int_equal(waitpid(pid, &status, 0), pid);
		assert_true(WIFEXITED(status));
		assert_int_equal(WEXITSTATUS(status), rows[i].exit_code);
	}
}

static void
test_mutant(void **state)
{
	static const struct {
		const char *list;
		bool lock, fence;
	} rows[] = {
		{ NULL, false, false },
		{ "", false, false },
		{ "no-lock", true, false },
		{ "no-fence,no-lock", true, true },
		{ "no-lock,", true, false },
		{ "no-locks,no-fenc", false, false },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		if (rows[i].list)
			(void)setenv("MIGRATIOND_MUTANT", rows[i].list, 1);
		assert_int_equal(failpoint_mutant("no-lock"), rows[i].lock);
		assert_int_equal(failpoint_mutant("no-fence"), rows[i].fence);
	}
	(void)unsetenv("MIGRATIOND_MUTANT");
}

static void
test_variable(void **state)
{
	(void)state;
	assert_true(failpoint_variable("MIGRATIOND_FAILPOINT"));
	assert_true(failpoint_variable("MIGRATIOND_MUTANT"));
	assert_false(failpoint_variable("MIGRATIOND_MUTANTS"));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		/* first: no child of it has read the environment before */
		cmocka_unit_test(test_environment),
		cmocka_unit_test(test_ends),
		cmocka_unit_test(test_drop),
		cmocka_unit_test(test_sleep),
		TEMPDIR_TEST(test_trace),
		cmocka_unit_test(test_bad),
		cmocka_unit_test(test_mutant),
		cmocka_unit_test(test_variable),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
