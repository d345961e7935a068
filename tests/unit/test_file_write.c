/* SPDX-License-Identifier: PostgreSQL */
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/resource.h>

#include <cmocka.h>

#include "base/file.h"
#include "base/file_write.h"
#include "base/mem.h"
#include "tempdir.h"

/* What the folder holds, hidden files too. */
static size_t
count_entries(const char *dir)
{
	char command[1100];
	FILE *list;
	size_t n = 0;

	snprintf(command, sizeof(command), "ls -A %s", dir);
	list = popen(command, "r"); /* NOLINT: a test */
	assert_non_null(list);
	for (int c; (c = fgetc(list)) != EOF;)
		n += c == '\n';
	pclose(list);
	return n;
}

static void
assert_holds(const char *path, const char *text)
{
	struct err err = { 0 };
	char *data = NULL;
	size_t len = 0;

	assert_int_equal(file_read(NULL, path, 1000, &data, &len, &err), 0);
	assert_string_equal(data, text);
	talloc_free(data);
}

static void
test_new(void **state)
{
	struct err err = { 0 };
	char path[1024];

	tempdir_path(path, *state, "0001_a.sql");
	assert_int_equal(file_write_new(path, "one", 3, &err), 0);
	assert_holds(path, "one");
	assert_int_equal(file_write_new(path, "two", 3, &err), -1);
	assert_int_equal(err.category, CAT_CONFIGURATION);
	assert_non_null(strstr(err.text, "0001_a.sql is there already"));
	assert_holds(path, "one");
	assert_int_equal(count_entries(*state), 1);
}

static void
test_over(void **state)
{
	struct err err = { 0 };
	struct stat st;
	char path[1024];

	tempdir_path(path, *state, "journal.json");
	assert_int_equal(file_write_over(path, "one", 3, &err), 0);
	assert_int_equal(chmod(path, 0640), 0);
	assert_int_equal(file_write_over(path, "two", 3, &err), 0);
	assert_holds(path, "two");
	assert_int_equal(stat(path, &st), 0);
	assert_int_equal(st.st_mode & 07777, 0640);
	assert_int_equal(count_entries(*state), 1);
}

/* A crash left it, in a container whose processes have the same numbers each time. */
static void
test_what_a_crash_left(void **state)
{
	struct err err = { 0 };
	char name[64], path[1024];

	snprintf(name, sizeof(name), ".0001_a.sql.%ld.tmp", (long)getpid());
	tempdir_text(*state, name, "half");
	tempdir_path(path, *state, "0001_a.sql");
	assert_int_equal(file_write_new(path, "one", 3, &err), 0);
	assert_int_equal(file_write_over(path, "two", 3, &err), 0);
	assert_holds(path, "two");
	assert_int_equal(count_entries(*state), 2);
}

static void
test_relative(void **state)
{
	struct err err = { 0 };

	assert_int_equal(chdir(*state), 0);
	assert_int_equal(file_write_new("plain", "", 0, &err), 0);
	assert_holds("plain", "");
	assert_int_equal(chdir("/"), 0);
	/* the folder "/" is one, too */
	assert_int_equal(file_write_new("/", "x", 1, &err), -1);
}

/* Half a file is none: it is taken away again. */
static void
test_failures(void **state)
{
	struct sigaction ignored = { .sa_handler = SIG_IGN };
	struct rlimit limit, small;
	struct err err = { 0 };
	char path[1024], big[4096] = { 0 };

	tempdir_path(path, *state, "none/a.sql");
	assert_int_equal(file_write_new(path, "x", 1, &err), -1);
	assert_int_equal(err.category, CAT_RESOURCE_NOT_FOUND);

	sigaction(SIGXFSZ, &ignored, NULL);
	assert_int_equal(getrlimit(RLIMIT_FSIZE, &limit), 0);
	small = limit;
	small.rlim_cur = 1024;
	assert_int_equal(setrlimit(RLIMIT_FSIZE, &small), 0);
	tempdir_path(path, *state, "a.sql");
	err_clear(&err);
	assert_int_equal(file_write_new(path, big, sizeof(big), &err), -1);
	assert_int_equal(setrlimit(RLIMIT_FSIZE, &limit), 0);
	assert_non_null(strstr(err.text, "cannot write"));
	assert_int_equal(count_entries(*state), 0);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		TEMPDIR_TEST(test_new),
		TEMPDIR_TEST(test_over),
		TEMPDIR_TEST(test_what_a_crash_left),
		TEMPDIR_TEST(test_relative),
		TEMPDIR_TEST(test_failures),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
