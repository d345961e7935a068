/* SPDX-License-Identifier: PostgreSQL */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "base/bounds.h"
#include "base/mem.h"
#include "daemon/watch.h"
#include "tempdir.h"

#define SETTLE_MS   20
#define DEADLINE_MS 5000
#define NEVER_MS    (60 * 60 * 1000)

/* An owner as the daemon is one: a scan looks at the directory and arms the watch on it. */
struct owner {
	uv_loop_t loop;
	uv_timer_t deadline;
	struct watch *watch;
	char *dir;       /* the test's folder */
	char path[1024]; /* what is watched */
	unsigned scans[SCAN_TRIGGER_COUNT];
	bool scanned;
};

static void
look(struct owner *owner)
{
	struct stat st = { 0 };

	if (stat(owner->path, &st) < 0)
		st = (struct stat){ 0 };
	watch_rearm(owner->watch, st.st_dev, st.st_ino);
}

static void
on_scan(void *arg, enum metrics_scan trigger)
{
	struct owner *owner = arg;

	owner->scans[trigger]++;
	owner->scanned = true;
	look(owner);
	uv_stop(&owner->loop);
}

static void
on_deadline(uv_timer_t *timer)
{
	struct owner *owner = timer->data;

	uv_stop(&owner->loop);
}

static void
open_watch(struct owner *owner, const char *name, int64_t rescan_ms)
{
	tempdir_path(owner->path, owner->dir, name);
	owner->watch =
	    watch_new(&owner->loop, owner->path, SETTLE_MS, rescan_ms, on_scan, owner);
	look(owner);
}

/*
 * Turn the loop until the next scan. False: there was none in time, which is counted from now:
 * the loop may have stood still since it last looked at the clock.
 */
static bool
scanned_within(struct owner *owner, uint64_t ms)
{
	owner->scanned = false;
	uv_update_time(&owner->loop);
	uv_timer_start(&owner->deadline, on_deadline, ms, 0);
	uv_run(&owner->loop, UV_RUN_DEFAULT);
	return owner->scanned;
}

/* Until the scan that follows an arming is over, and nothing more is due. */
static void
settle(struct owner *owner)
{
	while (scanned_within(owner, 5 * SETTLE_MS))
		;
}

static int
setup(void **state)
{
	struct owner *owner = mem_zero(NULL, struct owner);

	assert_int_equal(uv_loop_init(&owner->loop), 0);
	assert_int_equal(uv_timer_init(&owner->loop, &owner->deadline), 0);
	owner->deadline.data = owner;
	owner->dir = tempdir_make();
	*state = owner;
	return 0;
}

static int
teardown(void **state)
{
	struct owner *owner = *state;

	watch_close(owner->watch);
	uv_close((uv_handle_t *)&owner->deadline, NULL);
	uv_run(&owner->loop, UV_RUN_DEFAULT);
	assert_int_equal(uv_loop_close(&owner->loop), 0);
	tempdir_remove(owner->dir);
	talloc_free(owner);
	return 0;
}

static void
move(const struct owner *owner, const char *from, const char *to)
{
	char old[1024];
	char new[1024];

	assert_int_equal(rename(tempdir_path(old, owner->dir, from),
			     tempdir_path(new, owner->dir, to)),
	    0);
}

static void
remove_file(const struct owner *owner, const char *name)
{
	char path[1024];

	assert_int_equal(remove(tempdir_path(path, owner->dir, name)), 0);
}

/* A journal that is edited alone, replaced as editors do, in a folder that is made anew. */
static void
test_folder_of_the_list(void **state)
{
	struct owner *owner = *state;

	tempdir_text(owner->dir, "m/meta", "no folder yet");
	open_watch(owner, "m", NEVER_MS);
	settle(owner);

	remove_file(owner, "m/meta");
	settle(owner);
	assert_int_equal(
	    mkdir(tempdir_path((char[1024]){ 0 }, owner->dir, "m/meta"), 0755), 0);
	settle(owner);
	tempdir_text(owner->dir, "m/meta/journal", "1");
	assert_true(scanned_within(owner, DEADLINE_MS));
	settle(owner);
	tempdir_text(owner->dir, "m/meta/.journal.swp", "2");
	assert_false(scanned_within(owner, 5 * SETTLE_MS));
	move(owner, "m/meta/.journal.swp", "m/meta/journal");
	assert_true(scanned_within(owner, DEADLINE_MS));
	settle(owner);

	move(owner, "m/meta", "away");
	settle(owner);
	tempdir_text(owner->dir, "away/journal", "3");
	assert_false(scanned_within(owner, 5 * SETTLE_MS));
	move(owner, "away", "m/meta");
	settle(owner);
	tempdir_text(owner->dir, "m/meta/journal", "4");
	assert_true(scanned_within(owner, DEADLINE_MS));
}

/* A folder for each migration: made anew, perhaps with the old inode, it is watched as before. */
static void
test_folders_of_migrations(void **state)
{
	struct owner *owner = *state;

	tempdir_text(owner->dir, "m/1_a/up.sql", "1");
	tempdir_text(owner->dir, "m/2_b/up.sql", "1");
	open_watch(owner, "m", NEVER_MS);
	settle(owner);
	tempdir_text(owner->dir, "m/1_a/up.sql", "2");
	assert_true(scanned_within(owner, DEADLINE_MS));
	settle(owner);
	for (int i = 0; i < 3; i++) {
		remove_file(owner, "m/2_b/up.sql");
		remove_file(owner, "m/2_b");
		tempdir_text(owner->dir, "m/2_b/up.sql", "3");
		settle(owner);
		tempdir_text(owner->dir, "m/2_b/up.sql", "4");
		assert_true(scanned_within(owner, DEADLINE_MS));
		settle(owner);
	}
}

/* More folders than are watched: the newest are. */
static void
test_very_many_folders(void **state)
{
	struct owner *owner = *state;
	char name[32];

	for (unsigned i = 0; i <= BOUND_WATCHED_FOLDERS; i++) {
		snprintf(name, sizeof(name), "m/%04u/up.sql", i);
		tempdir_text(owner->dir, name, "1");
	}
	open_watch(owner, "m", NEVER_MS);
	settle(owner);
	tempdir_text(owner->dir, "m/0000/up.sql", "2");
	assert_false(scanned_within(owner, 5 * SETTLE_MS));
	tempdir_text(owner->dir, "m/0001/up.sql", "2");
	assert_true(scanned_within(owner, DEADLINE_MS));
	settle(owner);
	tempdir_text(owner->dir, name, "2");
	assert_true(scanned_within(owner, DEADLINE_MS));
}

static void
test_new_file(void **state)
{
	struct owner *owner = *state;

	tempdir_text(owner->dir, "m/0001.sql", "");
	open_watch(owner, "m", NEVER_MS);
	/* once more after arming, for what changed in between */
	while (owner->scans[SCAN_EVENT] == 0)
		assert_true(scanned_within(owner, DEADLINE_MS));
	assert_false(scanned_within(owner, 5 * SETTLE_MS));

	tempdir_text(owner->dir, "m/0002.sql", "SELECT 1;");
	assert_true(scanned_within(owner, DEADLINE_MS));
	assert_int_equal(owner->scans[SCAN_EVENT], 2);
	assert_int_equal(owner->scans[SCAN_TIMER], 0);
}

/* A path with a slash at its end is watched as well. */
static void
test_path_ends_with_a_slash(void **state)
{
	struct owner *owner = *state;

	tempdir_text(owner->dir, "m/0001.sql", "");
	open_watch(owner, "m//", NEVER_MS);
	settle(owner);
	tempdir_text(owner->dir, "m/0002.sql", "");
	assert_true(scanned_within(owner, DEADLINE_MS));
}

/* Many events are one scan. */
static void
test_events_are_gathered(void **state)
{
	struct owner *owner = *state;

	tempdir_text(owner->dir, "m/0001.sql", "");
	open_watch(owner, "m", NEVER_MS);
	settle(owner);
	owner->scans[SCAN_EVENT] = 0;
	for (int i = 0; i < 100; i++)
		tempdir_text(owner->dir, "m/0002.sql", "SELECT 1;");
	assert_true(scanned_within(owner, DEADLINE_MS));
	settle(owner);
	/* one, but on a machine that is busy with other things a few */
	assert_in_range(owner->scans[SCAN_EVENT], 1, 10);
}

static void
test_hidden_names_are_noise(void **state)
{
	struct owner *owner = *state;

	tempdir_text(owner->dir, "m/0001.sql", "");
	open_watch(owner, "m", NEVER_MS);
	settle(owner);
	tempdir_text(owner->dir, "m/.0002.sql.swp", "x");
	tempdir_text(owner->dir, "m/..2026_11_20", "x");
	assert_false(scanned_within(owner, 10 * SETTLE_MS));
}

/* A hidden folder is nobody's swap file: what happens to itself counts. */
static void
test_hidden_folder(void **state)
{
	struct owner *owner = *state;

	tempdir_text(owner->dir, ".m/0001.sql", "");
	open_watch(owner, ".m", NEVER_MS);
	settle(owner);
	move(owner, ".m", "away");
	assert_true(scanned_within(owner, DEADLINE_MS));
}

/* As the kubelet's AtomicWriter does it: the name of a changed file appears in no event. */
static void
test_config_map(void **state)
{
	struct owner *owner = *state;

	tempdir_text(owner->dir, "m/..1", "");
	remove_file(owner, "m/..1");
	tempdir_text(owner->dir, "m/..1/0001.sql", "SELECT 1;");
	tempdir_link(owner->dir, "m/..data", "..1");
	tempdir_link(owner->dir, "m/0001.sql", "..data/0001.sql");
	open_watch(owner, "m", NEVER_MS);
	settle(owner);

	/* twice: a watch on a file or on ..data would hear the first time only */
	for (int i = 2; i <= 3; i++) {
		char name[32];

		snprintf(name, sizeof(name), "m/..%d/0001.sql", i);
		tempdir_text(owner->dir, name, "SELECT 2;");
		assert_false(scanned_within(owner, 5 * SETTLE_MS));
		snprintf(name, sizeof(name), "..%d", i);
		tempdir_link(owner->dir, "m/..data_tmp", name);
		move(owner, "m/..data_tmp", "m/..data");
		assert_true(scanned_within(owner, DEADLINE_MS));
		settle(owner);
	}
}

/* The new folder is watched although the old one had the same name, and perhaps the same inode. */
static void
test_folder_made_again(void **state)
{
	struct owner *owner = *state;

	tempdir_text(owner->dir, "m/0001.sql", "");
	open_watch(owner, "m", NEVER_MS);
	settle(owner);
	for (int i = 0; i < 3; i++) {
		remove_file(owner, "m/0001.sql");
		remove_file(owner, "m");
		tempdir_text(owner->dir, "m/0001.sql", "");
		settle(owner);
		tempdir_text(owner->dir, "m/0002.sql", "");
		assert_true(scanned_within(owner, DEADLINE_MS));
		remove_file(owner, "m/0002.sql");
		settle(owner);
	}
}

/* git-sync swaps a link above the folder: no event tells, but the next scan does. */
static void
test_swapped_link(void **state)
{
	struct owner *owner = *state;

	tempdir_text(owner->dir, "a/m", "");
	remove_file(owner, "a/m");
	tempdir_text(owner->dir, "b/m", "");
	remove_file(owner, "b/m");
	tempdir_text(owner->dir, "a/m/0001.sql", "");
	tempdir_text(owner->dir, "b/m/0001.sql", "");
	tempdir_link(owner->dir, "current", "a");
	open_watch(owner, "current/m", NEVER_MS);
	settle(owner);

	tempdir_link(owner->dir, "next", "b");
	move(owner, "next", "current");
	assert_false(scanned_within(owner, 5 * SETTLE_MS));
	look(owner);
	settle(owner);
	tempdir_text(owner->dir, "a/m/0002.sql", "");
	assert_false(scanned_within(owner, 5 * SETTLE_MS));
	tempdir_text(owner->dir, "b/m/0002.sql", "");
	assert_true(scanned_within(owner, DEADLINE_MS));
}

static void
test_missing_folder_is_found_by_the_timer(void **state)
{
	struct owner *owner = *state;

	open_watch(owner, "m", 5 * SETTLE_MS);
	assert_true(scanned_within(owner, DEADLINE_MS));
	assert_true(scanned_within(owner, DEADLINE_MS));
	assert_int_equal(owner->scans[SCAN_TIMER], 2);
	assert_int_equal(owner->scans[SCAN_EVENT], 0);
	tempdir_text(owner->dir, "m/0001.sql", "");
	/* found, and then watched */
	assert_true(scanned_within(owner, DEADLINE_MS));
	assert_int_equal(owner->scans[SCAN_TIMER], 3);
	assert_true(scanned_within(owner, DEADLINE_MS));
	assert_int_equal(owner->scans[SCAN_EVENT], 1);
}

static void
test_again(void **state)
{
	struct owner *owner = *state;

	open_watch(owner, "m", NEVER_MS);
	assert_false(scanned_within(owner, 5 * SETTLE_MS));
	watch_again(owner->watch);
	watch_again(owner->watch);
	assert_true(scanned_within(owner, DEADLINE_MS));
	assert_false(scanned_within(owner, 5 * SETTLE_MS));
}

static void
on_write(uv_timer_t *timer)
{
	struct owner *owner = timer->data;

	tempdir_text(owner->dir, "m/log", "again");
}

/* A folder that never gets quiet is read all the same. */
static void
test_noise_without_end(void **state)
{
	struct owner *owner = *state;
	uv_timer_t writer;

	tempdir_text(owner->dir, "m/0001.sql", "");
	open_watch(owner, "m", NEVER_MS);
	settle(owner);
	assert_int_equal(uv_timer_init(&owner->loop, &writer), 0);
	writer.data = owner;
	uv_timer_start(&writer, on_write, 1, SETTLE_MS / 10);
	assert_true(scanned_within(owner, DEADLINE_MS));
	assert_true(scanned_within(owner, DEADLINE_MS));
	uv_close((uv_handle_t *)&writer, NULL);
	settle(owner);
}

static void
test_close_of_none(void **state)
{
	(void)state;
	watch_close(NULL);
}

#define WATCH_TEST(test) cmocka_unit_test_setup_teardown(test, setup, teardown)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		WATCH_TEST(test_folder_of_the_list),
		WATCH_TEST(test_folders_of_migrations),
		WATCH_TEST(test_very_many_folders),
		WATCH_TEST(test_new_file),
		WATCH_TEST(test_path_ends_with_a_slash),
		WATCH_TEST(test_events_are_gathered),
		WATCH_TEST(test_hidden_names_are_noise),
		WATCH_TEST(test_hidden_folder),
		WATCH_TEST(test_config_map),
		WATCH_TEST(test_folder_made_again),
		WATCH_TEST(test_swapped_link),
		WATCH_TEST(test_missing_folder_is_found_by_the_timer),
		WATCH_TEST(test_again),
		WATCH_TEST(test_noise_without_end),
		cmocka_unit_test(test_close_of_none),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
