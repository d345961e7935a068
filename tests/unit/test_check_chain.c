/* SPDX-License-Identifier: PostgreSQL */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "check_world.h"

/* 0000_init, and a and b that were both generated on top of it; b was given the next number. */
static void
make_fork(struct world *w)
{
	world_entry(w, "0000_init", 1000);
	world_entry(w, "0001_a", 2000);
	world_entry(w, "0002_b", 3000);
	world_snapshot(w, "0000", "id0", SNAPSHOT_ORIGIN);
	world_snapshot(w, "0001", "id1", "id0");
	world_snapshot(w, "0002", "id2", "id0");
	w->input.files_only = true;
}

static void
test_fork(void **state)
{
	struct world *w = *state;
	const struct check_finding *f;

	make_fork(w);
	world_check(w);
	f = world_finding(w, CHECK_SNAPSHOT_FORK);
	assert_int_equal(w->check->n_findings, 1);
	assert_says(
	    f->message, "0001_a and 0002_b were both generated on top of 0000_init");
	assert_string_equal(f->file, WORLD_JOURNAL);
	assert_int_equal(f->line, 4);
	assert_string_equal(f->migration, "0002_b");
	assert_says(f->remedy, "make 0002_b anew");
	assert_int_equal(f->n_commands, 3);
	assert_says(f->commands[0], "/0002_b.sql ");
	assert_says(f->commands[0], "/meta/0002_snapshot.json");
	assert_says(f->commands[1], "jq 'del(.entries[] | select(.tag == \"0002_b\"))' ");
	assert_string_equal(f->commands[2], "npx drizzle-kit generate --name b");
	assert_int_equal(f->severity, CHECK_ERROR);
	assert_int_equal(check_exit_code(w->check), EXIT_FILES);
}

/* What is applied stays; the other one is made anew, though it is the older. */
static void
test_fork_with_one_side_applied(void **state)
{
	struct world *w = *state;

	make_fork(w);
	w->input.files_only = false;
	world_record(w, "1000", NULL);
	world_record(w, "3000", NULL);
	world_check(w);
	assert_string_equal(world_finding(w, CHECK_SNAPSHOT_FORK)->migration, "0001_a");
}

static void
test_fork_with_both_sides_applied(void **state)
{
	struct world *w = *state;
	const struct check_finding *f;

	make_fork(w);
	w->input.files_only = false;
	world_record(w, "1000", NULL);
	world_record(w, "2000", NULL);
	world_record(w, "3000", NULL);
	world_check(w);
	f = world_finding(w, CHECK_SNAPSHOT_FORK);
	assert_int_equal(f->n_commands, 3);
	assert_says(f->commands[0], "jq '.prevId = \"id1\"' ");
	assert_says(f->commands[0], "meta/0002_snapshot.json");
	assert_says(f->commands[1], "generate --name merge");
	assert_says(f->commands[2], "/*_merge.sql");
	assert_says(f->remedy, "all of them are applied");
}

/* Branches of several, more than a line should hold; one goes on in the middle of the other. */
static void
test_fork_of_long_branches(void **state)
{
	struct world *w = *state;
	const struct check_finding *f;
	char tag[32], prefix[32], id[32], parent[32];

	world_entry(w, "0000_init", 1000);
	world_snapshot(w, "0000", "id0", SNAPSHOT_ORIGIN);
	for (unsigned i = 1; i < 20; i++) {
		snprintf(tag, sizeof(tag), "%04u_x", i);
		snprintf(prefix, sizeof(prefix), "%04u", i);
		snprintf(id, sizeof(id), "id%u", i);
		snprintf(parent, sizeof(parent), "id%u", i > 2 ? i - 2 : 0);
		world_entry(w, tag, 1000 + i);
		world_snapshot(w, prefix, id, parent);
	}
	w->input.files_only = true;
	world_check(w);
	f = world_finding(w, CHECK_SNAPSHOT_FORK);
	assert_says(f->message,
	    "(0001_x, 0003_x, 0005_x, 0007_x, 0009_x and 5 more) and (0002_x,");
	assert_string_equal(f->migration, "0002_x");
	assert_int_equal(f->n_commands, 0); /* nine at once: not by copying lines */

	/* all applied: each is put behind the one before it */
	w->input.files_only = false;
	for (unsigned i = 0; i < 20; i++) {
		snprintf(tag, sizeof(tag), "%u", 1000 + i);
		world_record(w, tag, NULL);
	}
	world_check(w);
	f = world_finding(w, CHECK_SNAPSHOT_FORK);
	assert_int_equal(f->n_commands, 18 + 2);
	assert_says(f->commands[0], "jq '.prevId = \"id1\"' ");
	assert_says(f->commands[17], "jq '.prevId = \"id18\"' ");
}

static void
test_fork_of_three_from_nothing(void **state)
{
	struct world *w = *state;
	const struct check_finding *f;

	world_entry(w, "0000_a", 1000);
	world_entry(w, "0001_b", 2000);
	world_entry(w, "0002_c", 3000);
	world_snapshot(w, "0000", "id0", SNAPSHOT_ORIGIN);
	world_snapshot(w, "0001", "id1", SNAPSHOT_ORIGIN);
	world_snapshot(w, "0002", "id2", SNAPSHOT_ORIGIN);
	w->input.files_only = true;
	world_check(w);
	f = world_finding(w, CHECK_SNAPSHOT_FORK);
	assert_says(f->message, "0000_a, 0001_b and 0002_c were");
	assert_says(f->message, "on top of nothing");
}

/* The state that they were generated on has no migration any more, or no file. */
static void
test_fork_from_what_is_gone(void **state)
{
	struct world *w = *state;
	char path[1024];

	world_entry(w, "0001_a", 2000);
	world_entry(w, "0002_b", 3000);
	world_snapshot(w, "0000", "id0", SNAPSHOT_ORIGIN);
	world_snapshot(w, "0001", "id1", "id0");
	world_snapshot(w, "0002", "id2", "id0");
	w->input.files_only = true;
	world_check(w);
	assert_says(world_finding(w, CHECK_SNAPSHOT_FORK)->message,
	    "on top of meta/0000_snapshot.json");
	assert_int_equal(world_finding(w, CHECK_SNAPSHOT_ORPHAN)->severity, CHECK_NOTE);

	unlink(tempdir_path(path, w->dir, "meta/0000_snapshot.json"));
	world_check(w);
	assert_says(world_finding(w, CHECK_SNAPSHOT_FORK)->message,
	    "on top of the same snapshot");
	assert_int_equal(world_count(w, CHECK_SNAPSHOT_CHAIN), 2);
}

static void
test_a_snapshot_that_comes_from_itself(void **state)
{
	struct world *w = *state;

	world_entry(w, "0000_a", 1000);
	world_entry(w, "0001_b", 2000);
	world_snapshot(w, "0000", "id0", "id0");
	world_snapshot(w, "0001", "id1", "id0");
	w->input.files_only = true;
	world_check(w);
	assert_int_equal(world_count(w, CHECK_SNAPSHOT_FORK), 1);
}

/* ---- one number in two branches ---- */

static void
test_shared_number(void **state)
{
	struct world *w = *state;
	const struct check_finding *f;

	world_entry_with(w, "0000_init", 1000, "0");
	world_entry_with(w, "0001_a", 2000, "1");
	world_entry_with(w, "0001_b", 3000, "1");
	world_snapshot(w, "0000", "id0", SNAPSHOT_ORIGIN);
	world_snapshot(w, "0001", "id1", "id0");
	w->input.files_only = true;
	world_check(w);
	f = world_finding(w, CHECK_SNAPSHOT_FORK);
	assert_int_equal(w->check->n_findings, 1); /* the idx is not told again */
	assert_says(f->message, "0001_a and 0001_b took the same number");
	assert_says(f->message, "meta/0001_snapshot.json can be of one");
	assert_says(f->message, "the next drizzle-kit generate repeats");
	assert_string_equal(f->migration, "0001_b");
	assert_int_equal(f->n_commands, 3);
	assert_says(f->commands[0], "git checkout origin/main -- ");
	assert_says(f->commands[1], "/0001_b.sql");
	assert_string_equal(f->commands[2], "npx drizzle-kit generate --name b");

	/* its file has the marks of the merge */
	tempdir_text(w->dir, "meta/0001_snapshot.json", "{\n<<<<<<< HEAD\n");
	world_check(w);
	assert_int_equal(world_count(w, CHECK_SNAPSHOT_FORK), 1);
	assert_int_equal(world_finding(w, CHECK_SNAPSHOT_INVALID)->line, 2);
	world_snapshot(w, "0001", "id1", "id0");

	/* applied, both */
	w->input.files_only = false;
	world_record(w, "1000", NULL);
	world_record(w, "2000", NULL);
	world_record(w, "3000", NULL);
	world_check(w);
	f = world_finding(w, CHECK_SNAPSHOT_FORK);
	assert_says(f->remedy, "all of them are applied");
	assert_int_equal(f->n_commands, 2);

	/* and more was generated since */
	world_entry(w, "0003_more", 4000);
	world_snapshot(w, "0003", "id3", "id1");
	world_record(w, "4000", NULL);
	world_check(w);
	f = world_finding(w, CHECK_SNAPSHOT_FORK);
	assert_int_equal(f->severity, CHECK_NOTE);
	assert_says(f->message, "may repeat");
	assert_int_equal(f->n_commands, 0);
}

/* A fork whose branch holds one of two that share a snapshot: the file is not removed with it. */
static void
test_redo_leaves_what_another_may_own(void **state)
{
	struct world *w = *state;
	const struct check_finding *f;

	world_entry(w, "0000_init", 1000);
	world_entry(w, "0001_a", 2000);
	world_entry(w, "0002_b", 500);
	world_entry(w, "0002_c", 4000);
	world_snapshot(w, "0002", "id2", SNAPSHOT_ORIGIN);
	world_record(w, "1000", NULL);
	world_check(w);
	f = world_finding(w, CHECK_OUT_OF_ORDER);
	assert_string_equal(f->migration, "0002_b");
	assert_null(strstr(f->commands[0], "snapshot"));
}

/* ---- single snapshots ---- */

static void
test_missing(void **state)
{
	struct world *w = *state;
	const struct check_finding *f;

	world_entry(w, "0000_a", 1000);
	world_entry(w, "0001_b", 2000);
	world_entry(w, "0002_c", 3000);
	world_entry(w, "by_hand", 4000);
	w->input.files_only = true;
	w->input.strict = true;
	world_check(w);
	f = world_finding(w, CHECK_SNAPSHOT_MISSING);
	assert_says(f->message, "the folder holds no snapshots");
	assert_int_equal(f->severity, CHECK_NOTE);
	assert_int_equal(check_exit_code(w->check), EXIT_FINE);

	/* one: and the gap in the chain is no other news */
	world_snapshot(w, "0000", "id0", SNAPSHOT_ORIGIN);
	world_snapshot(w, "0002", "id2", "id1");
	world_check(w);
	f = world_finding(w, CHECK_SNAPSHOT_MISSING);
	assert_int_equal(w->check->n_findings, 1);
	assert_string_equal(f->migration, "0001_b");
	assert_int_equal(f->line, 3);
	assert_says(f->message, "meta/0001_snapshot.json");
}

static void
test_broken_chain(void **state)
{
	struct world *w = *state;
	const struct check_finding *f;

	world_entry(w, "0000_a", 1000);
	world_entry(w, "0001_b", 2000);
	world_snapshot(w, "0000", "id0", SNAPSHOT_ORIGIN);
	world_snapshot(w, "0001", "id1", "gone");
	w->input.files_only = true;
	world_check(w);
	f = world_finding(w, CHECK_SNAPSHOT_CHAIN);
	assert_string_equal(f->file, "meta/0001_snapshot.json");
	assert_says(f->message, "from the snapshot gone, which is not there");
	assert_int_equal(f->severity, CHECK_WARNING);

	/* long ago, and more was generated since */
	world_entry(w, "0002_c", 3000);
	world_snapshot(w, "0002", "id2", "id1");
	world_check(w);
	f = world_finding(w, CHECK_SNAPSHOT_CHAIN);
	assert_int_equal(f->severity, CHECK_NOTE);
	assert_null(f->remedy);

	world_snapshot(w, "0001", "id0", SNAPSHOT_ORIGIN);
	world_snapshot(w, "0002", "id2", "id0");
	world_check(w);
	f = world_finding(w, CHECK_SNAPSHOT_CHAIN);
	assert_string_equal(f->file, "meta/0001_snapshot.json");
	assert_says(f->message, "the same id as meta/0000_snapshot.json");
}

static void
test_orphan(void **state)
{
	struct world *w = *state;
	const struct check_finding *f;

	world_entry(w, "0000_a", 1000);
	world_snapshot(w, "0000", "id0", SNAPSHOT_ORIGIN);
	world_snapshot(w, "0001", "id1", "id0");
	world_snapshot(w, "0002", "id2", "id0");
	w->input.files_only = true;
	world_check(w);
	/* no fork: neither of them is anybody's */
	assert_int_equal(world_count(w, CHECK_SNAPSHOT_FORK), 0);
	assert_int_equal(world_count(w, CHECK_SNAPSHOT_ORPHAN), 2);
	f = &w->check->findings[0];
	assert_string_equal(f->file, "meta/0001_snapshot.json");
	assert_int_equal(f->severity, CHECK_WARNING);
	assert_int_equal(f->n_commands, 1);
}

static void
test_older_versions(void **state)
{
	struct world *w = *state;
	const struct check_finding *f;

	world_entry(w, "0000_a", 1000);
	world_entry(w, "0001_b", 2000);
	world_entry(w, "0002_c", 3000);
	tempdir_text(w->dir, "meta/0000_snapshot.json",
	    "{\"id\":\"id0\",\"prevId\":\"" SNAPSHOT_ORIGIN "\",\"version\":\"5\"}");
	tempdir_text(w->dir, "meta/0001_snapshot.json",
	    "{\"id\":\"id1\",\"prevId\":\"id0\",\"version\":\"5\"}");
	w->input.files_only = true;
	world_check(w);
	assert_int_equal(world_count(w, CHECK_SNAPSHOT_VERSION), 0);
	world_snapshot(w, "0002", "id2", "id1");
	world_check(w);
	f = world_finding(w, CHECK_SNAPSHOT_VERSION);
	assert_says(f->message, "2 snapshots are of an older version than 7");
	assert_string_equal(f->file, "meta/0001_snapshot.json");
	assert_string_equal(f->commands[0], "npx drizzle-kit up");
	tempdir_text(w->dir, "meta/0001_snapshot.json",
	    "{\"id\":\"id1\",\"prevId\":\"id0\",\"version\":\"7\"}");
	world_check(w);
	assert_says(world_finding(w, CHECK_SNAPSHOT_VERSION)->message, "1 snapshot is");
}

/* ---- a generator that joins branches ---- */

static char *
beside(const void *ctx, const struct migration *m)
{
	return mem_printf(ctx, "meta/%s_snapshot.json", m->id);
}

static void
joining(struct world *w, const char *tag, const char *id, const char *parents)
{
	char file[128], text[256];

	snprintf(file, sizeof(file), "meta/%s_snapshot.json", tag);
	snprintf(text, sizeof(text), "{\"version\":\"8\",\"id\":\"%s\",\"prevIds\":[%s]}",
	    id, parents);
	tempdir_text(w->dir, file, text);
}

static void
test_branches_that_may_stay(void **state)
{
	struct layout layout = layout_drizzle;
	struct world *w = *state;
	const struct check_finding *f;
	char odd[256];

	layout.snapshot_file = beside;
	world_entry(w, "0000_a", 1000);
	world_entry(w, "0001_b", 2000);
	world_entry(w, "0001_c", 3000);
	joining(w, "0000_a", "a", "\"" SNAPSHOT_ORIGIN "\"");
	joining(w, "0001_b", "b", "\"a\"");
	joining(w, "0001_c", "c", "\"a\"");
	w->input.files_only = true;
	world_check(w);
	w->folder->layout = &layout;
	w->check = check_build(w, &w->input);
	f = world_finding(w, CHECK_SNAPSHOT_FORK);
	assert_int_equal(f->severity, CHECK_NOTE);
	assert_says(f->message, "end with 0001_b and 0001_c");
	assert_string_equal(f->commands[0], "npx drizzle-kit check");

	world_entry(w, "0002_d", 4000);
	joining(w, "0002_d", "d", "\"b\", \"c\"");
	world_check(w);
	w->folder->layout = &layout;
	w->check = check_build(w, &w->input);
	assert_int_equal(world_count(w, CHECK_SNAPSHOT_FORK), 0);

	/* the folder's path is one word, whatever it holds */
	snprintf(odd, sizeof(odd), "it's a folder");
	tempdir_text(w->dir, "meta/x_snapshot.json", "no");
	world_read(w, SIZE_MAX);
	w->folder->path = odd;
	w->check = check_build(w, &w->input);
	assert_says(world_finding(w, CHECK_SNAPSHOT_INVALID)->remedy,
	    "'it'\\''s a folder/meta/x_snapshot.json'");
	w->folder->path = NULL;
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_fork),
		TEST(test_fork_with_one_side_applied),
		TEST(test_fork_with_both_sides_applied),
		TEST(test_fork_of_long_branches),
		TEST(test_fork_of_three_from_nothing),
		TEST(test_fork_from_what_is_gone),
		TEST(test_a_snapshot_that_comes_from_itself),
		TEST(test_shared_number),
		TEST(test_redo_leaves_what_another_may_own),
		TEST(test_missing),
		TEST(test_broken_chain),
		TEST(test_orphan),
		TEST(test_older_versions),
		TEST(test_branches_that_may_stay),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
