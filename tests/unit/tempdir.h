/* SPDX-License-Identifier: PostgreSQL */
#pragma once

/*
 * A folder of a test's own, made by its setup and removed with all it holds by its teardown; its
 * path is the state.
 *
 *	TEMPDIR_TEST(test_something),
 *
 *	tempdir_write(dir, "meta/_journal.json", "{}", 2);
 *
 * Include after cmocka.h.
 */

#include <fcntl.h>
#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/macros.h"

static inline int
tempdir_unlink(const char *path, const struct stat *st UNUSED, int type UNUSED,
    struct FTW *ftw UNUSED)
{
	return remove(path);
}

/* The path of a new empty folder. */
static inline char *
tempdir_make(void)
{
	const char *parent = getenv("TMPDIR");
	char *path = NULL;

	assert_true(
	    asprintf(&path, "%s/migrationd-test-XXXXXX", parent ? parent : "/tmp") > 0);
	assert_non_null(mkdtemp(path));
	return path;
}

static inline void
tempdir_remove(char *path)
{
	nftw(path, tempdir_unlink, 16, FTW_DEPTH | FTW_PHYS);
	free(path);
}

static inline int
tempdir_setup(void **state)
{
	*state = tempdir_make();
	return 0;
}

static inline int
tempdir_teardown(void **state)
{
	tempdir_remove(*state);
	return 0;
}

#define TEMPDIR_TEST(name) \
	cmocka_unit_test_setup_teardown(name, tempdir_setup, tempdir_teardown)

/* dir/name into `buf`. */
static inline const char *
tempdir_path(char buf[1024], const char *dir, const char *name)
{
	assert_in_range(snprintf(buf, 1024, "%s/%s", dir, name), 1, 1023);
	return buf;
}

/* A file with these bytes, in place of what was there; the folders above it are made. */
static inline void
tempdir_write(const char *dir, const char *name, const void *data, size_t len)
{
	char path[1024];
	char *slash = NULL;
	int fd = -1;

	tempdir_path(path, dir, name);
	slash = strchr(path + strlen(dir) + 1, '/');
	for (; slash; slash = strchr(slash + 1, '/')) {
		*slash = '\0';
		if (mkdir(path, 0755) < 0)
			assert_int_equal(access(path, F_OK), 0);
		*slash = '/';
	}
	fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
	assert_true(fd >= 0);
	assert_int_equal(write(fd, data, len), len);
	close(fd);
}

static inline void
tempdir_text(const char *dir, const char *name, const char *text)
{
	tempdir_write(dir, name, text, strlen(text));
}

/* A symbolic link dir/name -> target. */
static inline void
tempdir_link(const char *dir, const char *name, const char *target)
{
	char path[1024];

	assert_int_equal(symlink(target, tempdir_path(path, dir, name)), 0);
}
