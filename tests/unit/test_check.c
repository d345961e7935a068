/* SPDX-License-Identifier: PostgreSQL */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "base/bounds.h"
#include "check_world.h"

#define OTHER "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"

static void
test_nothing_is_wrong(void **state)
{
	struct world *w = *state;

	world_entry(w, "0000_a", 1000);
	world_entry(w, "0001_b", 2000);
	world_snapshot(w, "0000", "a", SNAPSHOT_ORIGIN);
	world_snapshot(w, "0001", "b", "a");
	world_record(w, "1000", NULL);
	world_record(w, "2000", NULL);
	w->input.strict = true;
	world_check(w);
	assert_int_equal(w->check->n_findings, 0);
	assert_int_equal(w->check->n_snapshots, 2);
	assert_int_equal(check_exit_code(w->check), EXIT_FINE);
	assert_string_equal(check_verdict_name(EXIT_FINE), "fine");
}

/* Exit code 3, strict or not, until it is applied. */
static void
test_pending(void **state)
{
	struct world *w = *state;
	const struct check_finding *f;

	world_entry(w, "0000_a", 1000);
	world_entry(w, "0001_b", 2000);
	world_snapshot(w, "0000", "a", SNAPSHOT_ORIGIN);
	world_snapshot(w, "0001", "b", "a");
	world_record(w, "1000", NULL);
	world_check(w);
	f = world_finding(w, CHECK_PENDING);
	assert_int_equal(w->check->n_findings, 1);
	assert_string_equal(f->file, "0001_b.sql");
	assert_string_equal(f->migration, "0001_b");
	assert_string_equal(f->remedy, "POST /apply runs it");
	assert_int_equal(f->severity, CHECK_WARNING);
	assert_int_equal(f->exit_code, EXIT_PENDING);
	assert_int_equal(check_exit_code(w->check), EXIT_PENDING);
	assert_int_equal(w->check->counts[CHECK_WARNING], 1);

	w->input.strict = true;
	world_check(w);
	assert_int_equal(world_finding(w, CHECK_PENDING)->severity, CHECK_ERROR);
	assert_int_equal(check_exit_code(w->check), EXIT_PENDING);

	w->status.database.in_recovery = true;
	world_check(w);
	f = world_finding(w, CHECK_PENDING);
	assert_string_equal(f->remedy, "this is a standby: apply on the primary");
	w->status.database.in_recovery = false;

	w->input.strict = false;
	w->plan_input.running = "0001_b";
	world_check(w);
	f = world_finding(w, CHECK_PENDING);
	assert_string_equal(f->message, "is being applied");
	assert_null(f->remedy);
}

/* ---- files ---- */

static void
test_listed_and_not_there(void **state)
{
	struct world *w = *state;
	const struct check_finding *f;
	char path[1024];

	world_entry(w, "0000_a", 1000);
	world_entry(w, "0001_b", 2000);
	world_record(w, "1000", NULL);
	unlink(tempdir_path(path, w->dir, "0001_b.sql"));
	world_check(w);
	f = world_finding(w, CHECK_FILE_MISSING);
	assert_string_equal(f->file, WORLD_JOURNAL);
	assert_int_equal(f->line, 3);
	assert_string_equal(f->migration, "0001_b");
	assert_says(f->message, "0001_b.sql");
	assert_non_null(f->remedy);
	assert_int_equal(f->severity, CHECK_ERROR);
	assert_int_equal(check_exit_code(w->check), EXIT_FILES);
	assert_int_equal(world_count(w, CHECK_FOLDER), 0);
	assert_int_equal(world_count(w, CHECK_REFUSED), 0);
	assert_string_equal(check_verdict_name(EXIT_FILES), "files");

	/* applied or not: without it drizzle-orm runs nothing, and no new database is made */
	world_record(w, "2000", NULL);
	world_check(w);
	assert_int_equal(world_finding(w, CHECK_FILE_MISSING)->severity, CHECK_ERROR);
	assert_int_equal(w->check->counts[CHECK_ERROR], 1);
}

static void
test_there_and_not_listed(void **state)
{
	struct world *w = *state;
	const struct check_finding *f;

	world_entry(w, "0000_a", 1000);
	world_record(w, "1000", NULL);
	tempdir_text(w->dir, "0001_mine.sql", "SELECT 1;");
	world_check(w);
	f = world_finding(w, CHECK_UNREGISTERED);
	assert_string_equal(f->file, "0001_mine.sql");
	assert_int_equal(f->severity, CHECK_WARNING);
	assert_int_equal(f->exit_code, EXIT_FINE);
	assert_int_equal(check_exit_code(w->check), EXIT_FINE);

	w->input.strict = true;
	world_check(w);
	assert_int_equal(check_exit_code(w->check), EXIT_FILES);
}

static void
test_files_that_cannot_be_run(void **state)
{
	struct world *w = *state;
	const struct check_finding *f;

	world_entry(w, "0000_a", 1000);
	tempdir_text(w->dir, "0000_a.sql", "SELECT 1;\n<<<<<<< HEAD\n");
	world_check(w);
	f = world_finding(w, CHECK_FILE_INVALID);
	assert_string_equal(f->file, "0000_a.sql");
	assert_int_equal(f->line, 2);
	assert_says(f->message, "merge conflict");
	assert_int_equal(w->check->counts[CHECK_ERROR], 1);
	assert_int_equal(check_exit_code(w->check), EXIT_FILES);
}

/* What the plan refuses about a pending file; where nobody knows what is pending, a warning. */
static void
test_scripts_that_cannot_be_run(void **state)
{
	struct world *w = *state;
	const struct check_finding *f;

	world_entry(w, "0000_a", 1000);
	tempdir_text(w->dir, "0000_a.sql", "SELECT 1;\nROLLBACK;\n");
	world_check(w);
	f = world_finding(w, CHECK_REFUSED);
	assert_string_equal(f->file, "0000_a.sql");
	assert_int_equal(f->line, 2);
	assert_string_equal(f->migration, "0000_a");
	assert_int_equal(f->exit_code, EXIT_REFUSED);
	assert_int_equal(check_exit_code(w->check), EXIT_REFUSED);
	assert_string_equal(world_finding(w, CHECK_PENDING)->remedy,
	    "POST /apply runs it once nothing stands in the way");

	w->input.files_only = true;
	world_check(w);
	assert_int_equal(w->check->n_findings, 2); /* and no snapshots */
	f = world_finding(w, CHECK_FILE_INVALID);
	assert_int_equal(f->severity, CHECK_WARNING);
	assert_int_equal(f->line, 2);
	assert_non_null(f->remedy);
	assert_int_equal(check_exit_code(w->check), EXIT_FINE);
}

static void
test_a_broken_journal(void **state)
{
	struct world *w = *state;
	const struct check_finding *f;

	tempdir_text(w->dir, WORLD_JOURNAL, "{\n\"entries\": [}");
	tempdir_text(w->dir, "meta/0000_snapshot.json", "no");
	world_check_as_is(w);
	f = world_finding(w, CHECK_FOLDER);
	assert_int_equal(w->check->n_findings, 1);
	assert_string_equal(f->file, WORLD_JOURNAL);
	assert_int_equal(f->line, 2);
	assert_int_equal(check_exit_code(w->check), EXIT_FILES);

	tempdir_text(w->dir, WORLD_JOURNAL, "[]");
	world_check_as_is(w);
	assert_int_equal(check_exit_code(w->check), EXIT_FILES);

	/* one that no tool of ours wrote: nothing in the files will mend it */
	tempdir_text(w->dir, WORLD_JOURNAL, "{\"version\": \"99\"}");
	world_check_as_is(w);
	assert_int_equal(check_exit_code(w->check), EXIT_CONFIGURATION);
	assert_string_equal(check_verdict_name(EXIT_CONFIGURATION), "configuration");
}

static void
test_no_folder(void **state)
{
	struct world *w = *state;
	char *dir = w->dir;

	w->dir = mem_printf(w, "%s/nowhere", dir);
	world_check_as_is(w);
	w->dir = dir;
	assert_null(world_finding(w, CHECK_FOLDER)->file);
	assert_int_equal(check_exit_code(w->check), EXIT_FILES);
}

static void
test_more_problems_than_a_folder_lists(void **state)
{
	struct world *w = *state;
	char name[64];

	world_entry(w, "0000_a", 1000);
	world_record(w, "1000", NULL);
	for (unsigned i = 0; i < BOUND_FOLDER_PROBLEMS + 3; i++) {
		snprintf(name, sizeof(name), "x%u.sql", i);
		tempdir_text(w->dir, name, "");
	}
	world_check(w);
	assert_says(world_finding(w, CHECK_FOLDER)->message, "3 more problems");
	assert_int_equal(world_count(w, CHECK_UNREGISTERED), BOUND_FOLDER_PROBLEMS);
}

static void
test_findings_have_a_bound(void **state)
{
	struct world *w = *state;
	char tag[64], when[64];

	for (unsigned i = 0; i < BOUND_CHECK_FINDINGS + 5; i++) {
		snprintf(tag, sizeof(tag), "x%04u", i);
		world_entry(w, tag, 1000 + i);
	}
	snprintf(when, sizeof(when), "%u", 1000 + BOUND_CHECK_FINDINGS + 4);
	world_record(w, when, OTHER);
	world_check(w);
	assert_int_equal(w->check->n_findings, BOUND_CHECK_FINDINGS);
	assert_int_equal(w->check->counts[CHECK_ERROR], BOUND_CHECK_FINDINGS + 5);
	assert_int_equal(w->check->n_left_out, 5);
	assert_int_equal(check_exit_code(w->check), EXIT_REFUSED);
}

/* ---- the journal against itself ---- */

static void
test_when_out_of_order_in_the_journal(void **state)
{
	struct world *w = *state;
	const struct check_finding *f;

	world_entry(w, "0000_a", 1000);
	world_entry(w, "0001_b", 900);
	world_entry(w, "0002_c", 1000);
	world_entry(w, "0003_d", 1100);
	world_check(w);
	f = world_finding(w, CHECK_WHEN_ORDER);
	assert_string_equal(f->file, WORLD_JOURNAL);
	assert_int_equal(f->line, 3);
	assert_says(f->message, "900 is not above that of 0000_a before it, 1000");
	assert_int_equal(f->severity, CHECK_WARNING);
	assert_int_equal(f->n_commands, 1);
	f = world_finding(w, CHECK_DUPLICATE);
	assert_int_equal(f->line, 4);
	assert_says(f->message, "the same \"when\" as 0000_a, 1000");
	assert_int_equal(check_exit_code(w->check), EXIT_PENDING);
	w->input.strict = true;
	world_check(w);
	assert_int_equal(check_exit_code(w->check), EXIT_FILES);
	w->input.strict = false;

	/* here it is over */
	world_record(w, "900", NULL);
	world_record(w, "1000", NULL);
	world_record(w, "1000", NULL);
	world_record(w, "1100", NULL);
	world_check(w);
	f = world_finding(w, CHECK_WHEN_ORDER);
	assert_int_equal(f->severity, CHECK_NOTE);
	assert_null(f->remedy);
	assert_int_equal(f->n_commands, 0);
}

static void
test_when_in_the_future(void **state)
{
	struct world *w = *state;
	long long now_ms = WORLD_NOW_US / 1000;
	long long far_ms = now_ms + 10 * 86400000LL;
	const struct check_finding *f;
	char far[32], better[64];

	world_entry(w, "0000_a", far_ms);
	world_entry(w, "0001_b", now_ms + 3600000); /* a clock that goes wrong a little */
	world_check(w);
	f = world_finding(w, CHECK_WHEN_FUTURE);
	assert_int_equal(world_count(w, CHECK_WHEN_ORDER), 0);
	assert_int_equal(f->line, 2);
	assert_says(f->message, "10 days ahead, at 2025-11-30");
	snprintf(better, sizeof(better), ".when = %lld'", now_ms);
	assert_says(f->commands[0], better);
	assert_int_equal(check_exit_code(w->check), EXIT_FILES);

	/* applied already: all that is generated later is out of order */
	snprintf(far, sizeof(far), "%lld", far_ms);
	world_record(w, far, NULL);
	world_check(w);
	f = world_finding(w, CHECK_WHEN_FUTURE);
	assert_int_equal(f->severity, CHECK_WARNING);
	assert_says(f->remedy, "UPDATE drizzle.__drizzle_migrations SET created_at = ");
	assert_says(f->remedy, far);
	assert_int_equal(world_count(w, CHECK_OUT_OF_ORDER), 1);
}

/* All the commands are pasted: what they give is apart, or drizzle-orm 0.x passes one over. */
static void
test_whens_that_are_advised_are_apart(void **state)
{
	struct world *w = *state;
	long long far_ms = WORLD_NOW_US / 1000 + 10 * 86400000LL;
	size_t n = 0;

	world_entry(w, "0000_a", 1000);
	world_entry(w, "0001_b", 900);
	world_entry(w, "0002_c", far_ms);
	world_entry(w, "0003_d", far_ms + 1);
	world_check(w);
	for (size_t i = 0; i < w->check->n_findings; i++) {
		const struct check_finding *f = &w->check->findings[i];
		char better[32];

		if (f->kind != CHECK_WHEN_ORDER && f->kind != CHECK_WHEN_FUTURE)
			continue;
		snprintf(better, sizeof(better), ".when = 100%c'", f->migration[3]);
		assert_says(f->commands[0], better);
		n++;
	}
	assert_int_equal(n, 3);
}

/* What is advised of the journal is done, and then it is right, whatever room there was. */
static void
test_whens_that_are_advised_are_right(void **state)
{
#define FAR_MS (WORLD_NOW_US / 1000 + 10 * 86400000LL)
	static const struct {
		long long whens[6];
		size_t advised;
	} rows[] = {
		{ { 1, 1, 2, 3 }, 3 },
		{ { 1, 1, 5, 6 }, 1 },
		{ { 1, 1, 2, 2, 3, 9 }, 4 },
		{ { 1000, 900, 1001 }, 2 },
		{ { 1000, FAR_MS, 1001, 1002, 2000 }, 3 },
		{ { FAR_MS, FAR_MS, 1000, 2000 }, 2 },
		{ { FAR_MS, WORLD_NOW_US / 1000 }, 1 },
		{ { FAR_MS, FAR_MS + 5 }, 2 },
	};
	struct world *w = *state;

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		size_t advised = 0;
		char tag[8];

		w->entries[0] = '\0';
		w->n_entries = 0;
		for (size_t j = 0; j < ARRAY_SIZE(rows[i].whens) && rows[i].whens[j];
		     j++) {
			snprintf(tag, sizeof(tag), "%04zu_a", j);
			world_entry(w, tag, rows[i].whens[j]);
		}
		world_check(w);
		for (size_t j = 0; j < w->check->n_findings; j++) {
			advised += w->check->findings[j].n_commands > 0;
			world_run(
			    &w->check->findings[j], 0, w->check->findings[j].n_commands);
		}
		assert_int_equal(advised, rows[i].advised);
		world_check_as_is(w);
		assert_int_equal(world_count(w, CHECK_WHEN_ORDER), 0);
		assert_int_equal(world_count(w, CHECK_WHEN_FUTURE), 0);
		assert_int_equal(world_count(w, CHECK_DUPLICATE), 0);
	}
#undef FAR_MS
}

static void
test_when_far_beyond_any_time(void **state)
{
	struct world *w = *state;
	const struct check_finding *f;

	world_entry(w, "0000_a", 1000);
	world_entry(w, "0001_b", 9007199254740991LL);
	world_record(w, "1000", NULL);
	world_check(w);
	f = world_finding(w, CHECK_WHEN_FUTURE);
	assert_says(f->message, "days ahead");
	assert_says(f->commands[0], ".when = 1001'");
}

static void
test_idx_twice(void **state)
{
	struct world *w = *state;
	const struct check_finding *f;

	world_entry_with(w, "0000_a", 1000, "0");
	world_entry_with(w, "0002_c", 1100, "1");
	world_entry_with(w, "0001_b", 1200, "1");
	world_entry_with(w, "0003_d", 1300, "\"none\"");
	world_check(w);
	f = world_finding(w, CHECK_DUPLICATE);
	assert_int_equal(f->line, 4);
	assert_int_equal(f->severity, CHECK_WARNING);
	assert_says(f->message, "the same \"idx\" as 0002_c, 1");
	assert_says(f->remedy, "number the entries 0, 1, 2 ...");
	assert_int_equal(f->n_commands, 1);
}

/* With timestamps for prefixes nothing is named by idx. */
static void
test_idx_twice_that_names_nothing(void **state)
{
	struct world *w = *state;

	world_entry_with(w, "20251120055812_a", 1000, "0");
	world_entry_with(w, "20251120055813_b", 1100, "0");
	world_check(w);
	assert_int_equal(world_finding(w, CHECK_DUPLICATE)->severity, CHECK_NOTE);
}

/* ---- the database ---- */

static void
test_unreachable(void **state)
{
	static const struct {
		bool reachable;
		enum category category;
		const char *hint;
		const char *says;
		enum exit_code code;
	} rows[] = {
		{ false, CAT_NETWORK_ERROR, "", "cannot be reached: away",
		    EXIT_UNREACHABLE },
		{ false, CAT_CONFIGURATION, "no such database", "cannot be reached",
		    EXIT_CONFIGURATION },
		{ true, CAT_PERMISSION_DENIED, "grant it", "cannot be read: away",
		    EXIT_CONFIGURATION },
		{ true, CAT_SQL_ERROR, "", "cannot be read", EXIT_UNREACHABLE },
		{ false, CAT_NONE, "", "not been read yet", EXIT_UNREACHABLE },
	};
	struct world *w = *state;
	const struct check_finding *f;

	world_entry(w, "0000_a", 1000);
	w->history = NULL;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct err *err = &w->status.database.err;

		err_clear(err);
		w->status.database.reachable = rows[i].reachable;
		if (rows[i].category != CAT_NONE)
			err_set(err, rows[i].category, "away");
		if (rows[i].hint[0] != '\0')
			err_hint(err, "%s", rows[i].hint);
		world_check(w);
		f = world_finding(w, CHECK_UNREACHABLE);
		assert_says(f->message, rows[i].says);
		if (rows[i].hint[0] != '\0')
			assert_string_equal(f->remedy, rows[i].hint);
		assert_int_equal(check_exit_code(w->check), rows[i].code);
		assert_int_equal(world_count(w, CHECK_PENDING), 0);
	}

	w->input.files_only = true;
	world_check(w);
	assert_int_equal(check_exit_code(w->check), EXIT_FINE);
	assert_true(w->check->files_only);
}

/* Files come before the database: without them the rest means nothing. */
static void
test_precedence(void **state)
{
	struct world *w = *state;
	char path[1024];

	world_entry(w, "0000_a", 1000);
	world_entry(w, "0001_b", 2000);
	world_entry(w, "0002_c", 3000);
	world_record(w, "1000", OTHER);
	world_check(w);
	assert_int_equal(check_exit_code(w->check), EXIT_DRIFT); /* before pending */

	w->plan_input.failed = "0001_b";
	world_check(w);
	assert_int_equal(check_exit_code(w->check), EXIT_MIGRATION_FAILED);

	err_set(&w->status.database.err, CAT_NETWORK_ERROR, "away");
	world_check(w);
	assert_int_equal(check_exit_code(w->check), EXIT_UNREACHABLE);

	unlink(tempdir_path(path, w->dir, "0002_c.sql"));
	world_check(w);
	assert_int_equal(check_exit_code(w->check), EXIT_FILES);
}

static void
test_out_of_order(void **state)
{
	struct world *w = *state;
	const struct check_finding *f;

	world_entry(w, "0000_a", 1000);
	world_entry(w, "0001_b", 1500);
	world_entry(w, "0002_c", 2000);
	world_snapshot(w, "0000", "a", SNAPSHOT_ORIGIN);
	world_snapshot(w, "0001", "b", "a");
	world_snapshot(w, "0002", "c", "b");
	world_record(w, "1000", NULL);
	world_record(w, "2000", NULL);
	world_check(w);
	f = world_finding(w, CHECK_OUT_OF_ORDER);
	assert_int_equal(w->check->n_findings, 1);
	assert_string_equal(f->file, WORLD_JOURNAL);
	assert_int_equal(f->line, 3);
	assert_says(f->message, "has passed it over");
	assert_says(f->message, "1500 is not above 2000 of 0002_c");
	assert_int_equal(f->n_commands, 3);
	assert_says(f->commands[0], "0001_b.sql");
	assert_says(f->commands[0], "meta/0001_snapshot.json");
	assert_says(f->commands[2], "generate --name b");
	assert_int_equal(check_exit_code(w->check), EXIT_REFUSED);

	w->plan_input.policy.out_of_order = OUT_OF_ORDER_APPLY;
	world_check(w);
	assert_int_equal(world_finding(w, CHECK_OUT_OF_ORDER)->severity, CHECK_WARNING);
	assert_int_equal(check_exit_code(w->check), EXIT_FINE);
	w->plan_input.policy.out_of_order = OUT_OF_ORDER_SKIP;
	world_check(w);
	assert_int_equal(check_exit_code(w->check), EXIT_FINE);
	w->plan_input.policy.out_of_order = OUT_OF_ORDER_REFUSE;
	tempdir_text(w->dir, "0001_b.sql", "-- migrationd: out-of-order\nSELECT 1;");
	world_check(w);
	assert_int_equal(check_exit_code(w->check), EXIT_FINE);
}

/* Behind all that is applied in the journal, and older all the same. */
static void
test_out_of_order_next_time(void **state)
{
	struct world *w = *state;

	world_entry(w, "0000_a", 1000);
	world_entry(w, "0001_b", 900);
	world_record(w, "1000", NULL);
	world_check(w);
	assert_says(world_finding(w, CHECK_OUT_OF_ORDER)->message, "would pass it over");
	assert_int_equal(world_count(w, CHECK_WHEN_ORDER), 0); /* told once */
}

/* Recorded by a newer release: nothing of this folder. */
static void
test_out_of_order_behind_a_row_without_a_file(void **state)
{
	struct world *w = *state;

	world_entry(w, "0000_a", 1000);
	world_record(w, "5000", OTHER);
	world_check(w);
	assert_says(world_finding(w, CHECK_OUT_OF_ORDER)->message,
	    "would pass it over: its \"when\" 1000 is not above 5000");
}

static void
test_out_of_order_in_a_numbered_folder(void **state)
{
	struct world *w = *state;
	const struct check_finding *f;

	tempdir_text(w->dir, "0001_a.sql", WORLD_SQL);
	tempdir_text(w->dir, "0002_b.sql", WORLD_SQL);
	world_record(w, "0002", NULL);
	world_check_as_is(w);
	f = world_finding(w, CHECK_OUT_OF_ORDER);
	assert_string_equal(f->file, "0001_a.sql");
	assert_int_equal(f->n_commands, 0);
	assert_says(f->message, "not newer than 0002_b");
	assert_int_equal(w->check->n_findings, 1);
}

static void
test_modified(void **state)
{
	struct world *w = *state;
	const struct check_finding *f;

	world_entry(w, "0000_a", 1000);
	world_record(w, "1000", OTHER);
	world_check(w);
	f = world_finding(w, CHECK_MODIFIED);
	assert_string_equal(f->file, "0000_a.sql");
	assert_says(f->message, "0123456789ab is recorded");
	assert_says(f->remedy, "git log");
	assert_int_equal(check_exit_code(w->check), EXIT_DRIFT);
	assert_string_equal(check_verdict_name(EXIT_DRIFT), "drift");
}

/* The table keeps no checksum, our journal does. */
static void
test_modified_by_our_journal(void **state)
{
	struct world *w = *state;

	tempdir_text(w->dir, "0001_a.sql", WORLD_SQL);
	history_add(w->history, &(struct history_row){ .key = "0001" });
	history_note_checksum(w->history, "0001_a", OTHER);
	world_check_as_is(w);
	assert_says(
	    world_finding(w, CHECK_MODIFIED)->message, "0123456789ab is recorded");
	assert_int_equal(check_exit_code(w->check), EXIT_DRIFT);
}

#define A8            "aaaaaaaa"
#define SUM_OF_OTHERS A8 A8 A8 A8 A8 A8 A8 A8

/*
 * Only line ends: told apart, and the commands make of the file what was applied.
 */
static void
test_eol_only(void **state)
{
	static const struct {
		const char *applied;
		const char *now;
		const char *says;
		size_t n_commands;
	} rows[] = {
		{ "a;\nb;\n", "a;\r\nb;\r\n", "has CRLF line ends", 1 },
		{ "a;\r\nb;\r\n", "a;\nb;\n", "has LF line ends", 1 },
		{ "a;\r\nb;", "a;\nb;", "has LF line ends", 1 },
		{ "a;\nb;", "a;\nb;\n", "a newline was added", 1 },
		{ "a;\nb;", "a;\r\nb;\r\n", "a newline was added", 2 },
		{ "a;\nb;\n", "a;\nb;", "the newline at its end was removed", 2 },
		{ "a;\r\nb;", "a;\nb;\n", "LF, and a newline was added", 2 },
		{ "a;\r\nb;\r\n", "a;\nb;", "LF, and the last one was removed", 3 },
	};
	struct world *w = *state;

	world_entry(w, "0000_a", 1000);
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		const struct check_finding *f;
		char hex[DIGEST_HEX];

		digest_sha256_hex(rows[i].applied, strlen(rows[i].applied), hex);
		w->history = history_new(w, HISTORY_BY_VERSION);
		world_record(w, "1000", hex);
		tempdir_text(w->dir, "0000_a.sql", rows[i].now);
		world_check(w);
		f = world_finding(w, CHECK_EOL_ONLY);
		assert_int_equal(world_count(w, CHECK_MODIFIED), 0);
		assert_says(f->message, rows[i].says);
		assert_int_equal(f->severity, CHECK_WARNING);
		assert_int_equal(check_exit_code(w->check), EXIT_FINE);
		assert_int_equal(f->n_commands, rows[i].n_commands);
		world_run(f, 0, f->n_commands);
		world_check(w);
		assert_int_equal(world_count(w, CHECK_EOL_ONLY), 0);
	}

	w->input.strict = true;
	tempdir_text(w->dir, "0000_a.sql", "a;\nb;");
	world_check(w);
	assert_int_equal(check_exit_code(w->check), EXIT_DRIFT);
	/* the policy makes no difference */
	w->input.strict = false;
	w->plan_input.policy.on_modified = ON_MODIFIED_REFUSE;
	world_check(w);
	assert_int_equal(world_finding(w, CHECK_EOL_ONLY)->severity, CHECK_ERROR);
}

/* A turn of the loop reads and hashes no more than it is told to; nothing is lost by it. */
static void
test_read_in_turns(void **state)
{
	struct world *w = *state;
	char text[9001], hex[DIGEST_HEX];

	memset(text, 'x', sizeof(text) - 1);
	text[sizeof(text) - 2] = '\n';
	text[sizeof(text) - 1] = '\0';
	world_entry(w, "0000_a", 1000);
	world_entry(w, "0001_b", 2000);
	world_entry(w, "0002_c", 3000);
	tempdir_text(w->dir, "0000_a.sql", text);
	text[100] = '\n';
	tempdir_text(w->dir, "0001_b.sql", text);
	world_record(w, "1000", SUM_OF_OTHERS);
	digest_sha256_hex(text, sizeof(text) - 2, hex);
	world_record(w, "2000", hex);
	/* another tool's: never one of ours */
	world_record(w, "3000", "17");
	world_check(w);
	assert_int_equal(world_count(w, CHECK_MODIFIED), 2);
	assert_int_equal(world_count(w, CHECK_EOL_ONLY), 1);

	/* again, with what is known; and by another process */
	assert_int_equal(world_read(w, 1000), 1);
	TALLOC_FREE(w->reading);
	assert_in_range(world_read(w, 1000), 18, 24);
	w->check = check_build(w, &w->input);
	assert_int_equal(world_count(w, CHECK_EOL_ONLY), 1);

	/* the folder is another before all is read: then it is read for that one */
	TALLOC_FREE(w->reading);
	w->reading = check_reading_new(w);
	check_reading_begin(w->reading);
	check_reading_begin(w->reading);
	assert_false(check_reading_step(w->reading, &w->status, 1000));
	assert_true(check_reading_is_busy(w->reading));
	w->folder->stamp++;
	world_snapshot(w, "0000", "id-a", SNAPSHOT_ORIGIN);
	world_snapshot(w, "0001", "id-b", "id-a");
	assert_false(check_reading_step(w->reading, &w->status, 1));
	w->folder->stamp++;
	world_read(w, 1000);
	w->check = check_build(w, &w->input);
	assert_int_equal(w->check->n_snapshots, 2);
	assert_true(check_reading_step(w->reading, &w->status, 0));
}

/* A folder that is scanned faster than its snapshots are read is read to the end. */
static void
test_scanned_meanwhile(void **state)
{
	struct world *w = *state;
	unsigned steps = 1;

	for (unsigned i = 0; i < 5; i++) {
		char prefix[16], tag[16];

		snprintf(prefix, sizeof(prefix), "%04u", i);
		snprintf(tag, sizeof(tag), "%04u_a", i);
		world_entry(w, tag, i + 1000);
		world_snapshot(w, prefix, tag, SNAPSHOT_ORIGIN);
	}
	world_check(w);
	TALLOC_FREE(w->reading);
	w->reading = check_reading_new(w);
	w->input.reading = w->reading;
	check_reading_begin(w->reading);
	while (!check_reading_step(w->reading, &w->status, 1)) {
		w->folder->scanned_at_us++;
		assert_in_range(++steps, 1, 6);
	}
	w->check = check_build(w, &w->input);
	assert_int_equal(w->check->n_snapshots, 5);
}

/* The folder becomes one of a layout that keeps none, and then is gone. */
static void
test_snapshots_are_no_more(void **state)
{
	struct world *w = *state;
	char path[1024], *dir;

	world_entry(w, "0000_a", 1000);
	world_snapshot(w, "0000", "a", SNAPSHOT_ORIGIN);
	world_check(w);
	assert_int_equal(w->check->n_snapshots, 1);

	unlink(tempdir_path(path, w->dir, "meta/0000_snapshot.json"));
	unlink(tempdir_path(path, w->dir, WORLD_JOURNAL));
	rmdir(tempdir_path(path, w->dir, "meta"));
	world_check_as_is(w);
	assert_string_equal(w->folder->layout->name, "sequence");
	assert_int_equal(w->check->n_snapshots, 0);

	world_snapshot(w, "0000", "a", SNAPSHOT_ORIGIN);
	world_check(w);
	assert_int_equal(w->check->n_snapshots, 1);
	dir = strdup(w->dir);
	tempdir_remove(w->dir);
	w->dir = dir;
	world_check_as_is(w);
	assert_int_equal(w->check->n_snapshots, 0);
}

/* Digests of so many files are not kept. */
static void
test_many_changed(void **state)
{
	struct world *w = *state;

	for (unsigned i = 0; i < 300; i++) {
		char tag[16], file[32], when[16], text[32];

		snprintf(tag, sizeof(tag), "%04u_a", i);
		snprintf(file, sizeof(file), "%s.sql", tag);
		snprintf(when, sizeof(when), "%u", i + 1000);
		snprintf(text, sizeof(text), "SELECT %u;", i);
		world_entry(w, tag, i + 1000);
		tempdir_text(w->dir, file, text);
		world_record(w, when, SUM_OF_OTHERS);
	}
	world_check(w);
	assert_int_equal(world_count(w, CHECK_MODIFIED), 300);
	assert_true(world_read(w, 1000) > 1);
	w->check = check_build(w, &w->input);
	assert_int_equal(world_count(w, CHECK_MODIFIED), 300);
}

static void
test_recorded_and_no_file(void **state)
{
	struct world *w = *state;
	const struct check_finding *f;
	char far[32];

	world_entry(w, "0000_a", 1000);
	world_record(w, "1000", NULL);
	world_record(w, "1100", OTHER);
	world_check(w);
	f = world_finding(w, CHECK_RECORDED_ONLY);
	assert_null(f->file);
	assert_string_equal(f->migration, "1100");
	assert_says(f->message, "drizzle.__drizzle_migrations");
	assert_int_equal(check_exit_code(w->check), EXIT_FINE);
	assert_int_equal(world_count(w, CHECK_WHEN_FUTURE), 0);
	assert_int_equal(world_count(w, CHECK_NOTICE), 0);

	snprintf(far, sizeof(far), "%lld", (long long)WORLD_NOW_US / 1000 + 400000000);
	world_record(w, far, OTHER);
	world_check(w);
	f = world_finding(w, CHECK_WHEN_FUTURE);
	assert_int_equal(f->severity, CHECK_WARNING);
	assert_says(f->message, "created_at 4 days ahead");
	assert_says(f->remedy, far);
}

/* drizzle-orm 0.x takes NULL for 0, and would run everything again. */
static void
test_rows_without_a_key(void **state)
{
	struct world *w = *state;
	struct history_row row = { .checksum = OTHER };

	world_entry(w, "0000_a", 1000);
	world_record(w, "1000", NULL);
	history_add(w->history, &row);
	world_check(w);
	assert_says(world_finding(w, CHECK_NOTICE)->message, "without created_at");
	assert_int_equal(check_exit_code(w->check), EXIT_FINE);
}

/* How it will be run is no fault. */
static void
test_a_file_that_is_split(void **state)
{
	struct world *w = *state;
	const struct check_finding *f;

	world_entry(w, "0000_a", 1000);
	world_entry(w, "0001_b", 1100);
	tempdir_text(w->dir, "0000_a.sql", "VACUUM;");
	w->plan_input.policy.transaction = TRANSACTION_RUN;
	world_check(w);
	f = world_finding(w, CHECK_NOTICE);
	assert_int_equal(f->severity, CHECK_NOTE);
	assert_string_equal(f->migration, "0000_a");
}

/* What speaks against any run, whatever it is; here, a target that is not there. */
static void
test_other_refusals(void **state)
{
	struct world *w = *state;
	const struct check_finding *f;

	world_entry(w, "0000_a", 1000);
	w->plan_input.target = "nobody";
	world_check(w);
	f = world_finding(w, CHECK_REFUSED);
	assert_null(f->file);
	assert_null(f->migration);
	assert_says(f->message, "there is no migration \"nobody\"");
	assert_int_equal(f->exit_code, EXIT_REFUSED);

	w->plan_input.target = NULL;
	w->plan_input.operation = PLAN_BASELINE;
	world_record(w, "1000", NULL);
	world_check(w);
	f = world_finding(w, CHECK_REFUSED);
	assert_int_equal(f->exit_code, EXIT_REFUSED);
	assert_string_equal(check_verdict_name(EXIT_REFUSED), "refused");

	/* that something would run a second time is no word of how it will be run */
	w->status.plan->problems[0].state = MIGRATION_PENDING;
	w->check = check_build(w, &w->input);
	assert_int_equal(world_finding(w, CHECK_REFUSED)->severity, CHECK_ERROR);

	w->status.plan->problems[0].err.exit_code = EXIT_CONFIGURATION;
	w->check = check_build(w, &w->input);
	assert_int_equal(check_exit_code(w->check), EXIT_CONFIGURATION);
}

static void
test_stopped(void **state)
{
	struct world *w = *state;
	struct run_request wanted = { .operation = PLAN_APPLY, .requested_by = "test" };
	struct run *run = run_new(&wanted, "default", 1, 1);
	struct history_row row = { .key = "1000", .failed = true, .error = "boom" };
	const struct check_finding *f;

	world_entry(w, "0000_a", 1000);
	world_entry(w, "0001_b", 2000);
	w->plan_input.failed = "0000_a";
	err_set(&run->err, CAT_SQL_ERROR, "syntax error");
	err_where(&run->err, "0000_a.sql", 2);
	snprintf(run->err.migration, sizeof(run->err.migration), "0000_a");
	w->status.parked = run;
	world_check(w);
	f = world_finding(w, CHECK_FAILED);
	assert_string_equal(f->message, "the last run failed here: syntax error");
	assert_string_equal(f->file, "0000_a.sql");
	assert_int_equal(f->line, 2);
	assert_says(f->remedy, "mend it");
	assert_int_equal(check_exit_code(w->check), EXIT_MIGRATION_FAILED);
	assert_string_equal(check_verdict_name(EXIT_MIGRATION_FAILED), "failed");

	w->plan_input.in_doubt = true;
	err_hint(&run->err, "POST /repair");
	world_check(w);
	f = world_finding(w, CHECK_IN_DOUBT);
	assert_string_equal(f->remedy, "POST /repair");
	assert_says(world_finding(w, CHECK_PENDING)->remedy, "once nothing stands");
	assert_int_equal(check_exit_code(w->check), EXIT_REFUSED);
	run_unref(run);

	/* known from the tracking table alone */
	w->status.parked = NULL;
	w->plan_input.in_doubt = false;
	w->plan_input.failed = NULL;
	history_add(w->history, &row);
	world_check(w);
	assert_says(world_finding(w, CHECK_FAILED)->message, "boom");
	w->history = history_new(w, HISTORY_BY_VERSION);
	row.error = NULL;
	history_add(w->history, &row);
	world_check(w);
	assert_says(world_finding(w, CHECK_FAILED)->message, "no more of it");
}

/* ---- the other phases ---- */

/* Where two have a file of the same name, each is told the error of its own run. */
static void
test_stopped_in_another_phase(void **state)
{
	struct world *w = *state;
	struct status_phase *seeds = &w->status.phases[PHASE_SEEDS];
	struct run of_schema = { .id = "0190" }, of_seeds = { .id = "0191" };
	struct plan_input input = { .failed = "a" };
	struct folder *folder;
	char path[1024];

	tempdir_text(w->dir, "seeds/a.sql", "SELECT 1;");
	folder = folder_load(tempdir_path(path, w->dir, "seeds"), "files", NULL, 0);
	err_set(&of_schema.err, CAT_SQL_ERROR, "no such table");
	err_set(&of_seeds.err, CAT_SQL_ERROR, "no such role");
	snprintf(of_schema.err.migration, sizeof(of_schema.err.migration), "a");
	snprintf(of_seeds.err.migration, sizeof(of_seeds.err.migration), "a");
	w->status.parked = &of_schema;
	seeds->parked = &of_seeds;
	seeds->folder = input.folder = folder;
	input.history = history_new(w, HISTORY_BY_FILE);
	seeds->plan = plan_build(w, &input);
	world_check(w);
	assert_string_equal(world_finding(w, CHECK_FAILED)->message,
	    "the last run failed here: no such role");
	folder_unref(folder);
}

/* Their folders and tables are looked at as well; what is wrong with data is a warning. */
static void
test_phases(void **state)
{
	struct world *w = *state;
	struct status_phase *data = &w->status.phases[PHASE_DATA];
	struct status_phase *seeds = &w->status.phases[PHASE_SEEDS];
	struct history *history = history_new(w, HISTORY_BY_FILE);
	struct plan_input input = { .history = history };
	struct history_row row = { .key = "a.sql", .checksum = OTHER };
	const struct check_finding *f;
	struct err err = { 0 };
	struct folder *folders[2];
	char path[1024];

	world_entry(w, "0000_a", 1000);
	world_record(w, "1000", NULL);
	tempdir_text(w->dir, "data/2025-11-20_a.sql", "\xff");
	tempdir_text(w->dir, "seeds/a.sql", "SELECT 1;");
	folders[0] = folder_load(tempdir_path(path, w->dir, "data"), "dated", NULL, 0);
	folders[1] = folder_load(tempdir_path(path, w->dir, "seeds"), "files", NULL, 0);
	data->folder = folders[0];
	world_check(w);
	f = world_finding(w, CHECK_FILE_INVALID);
	assert_int_equal(f->phase, PHASE_DATA);
	assert_int_equal(f->severity, CHECK_WARNING);
	assert_ptr_equal(check_folder(w->check, f), folders[0]);
	assert_int_equal(check_exit_code(w->check), EXIT_FINE);

	tempdir_text(w->dir, "data/2025-11-20_a.sql", "SELECT 1;");
	folder_unref(folders[0]);
	folders[0] = folder_load(tempdir_path(path, w->dir, "data"), "dated", NULL, 0);
	data->folder = input.folder = folders[0];
	data->plan = plan_build(w, &input);
	world_check(w);
	f = world_finding(w, CHECK_PENDING);
	assert_int_equal(f->phase, PHASE_DATA);
	assert_int_equal(check_exit_code(w->check), EXIT_FINE);
	w->input.strict = true;
	world_check(w);
	assert_int_equal(check_exit_code(w->check), EXIT_PENDING);

	/* of the phase's own table */
	snprintf(data->tracking.table, sizeof(data->tracking.table), "data_migrations");
	history_add(history, &row);
	data->plan = plan_build(w, &input);
	world_check(w);
	f = world_finding(w, CHECK_RECORDED_ONLY);
	assert_says(f->message, "recorded in data_migrations,");

	/* which cannot be read */
	err_set(&err, CAT_PERMISSION_DENIED, "permission denied for table d");
	data->unread = &err;
	w->input.strict = false;
	world_check(w);
	f = world_finding(w, CHECK_UNREACHABLE);
	assert_int_equal(f->phase, PHASE_DATA);
	assert_int_equal(f->severity, CHECK_WARNING);
	assert_says(f->message, "the tracking table cannot be read: permission denied");
	assert_int_equal(world_count(w, CHECK_RECORDED_ONLY), 0);
	assert_int_equal(check_exit_code(w->check), EXIT_FINE);

	data->folder = NULL;
	input.policy.rerun = RERUN_CHANGED;
	seeds->folder = input.folder = folders[1];
	seeds->plan = plan_build(w, &input);
	world_check(w);
	f = world_finding(w, CHECK_PENDING);
	assert_int_equal(f->phase, PHASE_SEEDS);
	assert_says(f->message, "changed since it ran");

	assert_int_equal(check_exit_code(w->check), EXIT_PENDING);
	f = world_finding(w, CHECK_SNAPSHOT_MISSING);
	assert_ptr_equal(check_folder(w->check, f), w->folder);

	/* and what has changed is hashed, a piece at a time */
	row.key = "2025-11-20_a.sql";
	row.checksum = SUM_OF_OTHERS;
	history_add(history, &row);
	input = (struct plan_input){ .folder = folders[0], .history = history };
	data->folder = folders[0];
	data->plan = plan_build(w, &input);
	assert_in_range(world_read(w, 2), strlen("SELECT 1;") / 2, 30);
	folder_unref(folders[0]);
	folder_unref(folders[1]);
}

/* ---- words ---- */

static void
test_names(void **state)
{
	(void)state;
	for (unsigned i = 0; i < CHECK_KIND_COUNT; i++) {
		const char *name = check_kind_name((enum check_kind)i);

		assert_true(name[0] != '\0');
		for (unsigned k = 0; k < i; k++)
			assert_string_not_equal(
			    name, check_kind_name((enum check_kind)k));
	}
	assert_string_equal(check_severity_name(CHECK_ERROR), "error");
	assert_string_equal(check_severity_name(CHECK_WARNING), "warning");
	assert_string_equal(check_severity_name(CHECK_NOTE), "note");
	assert_string_equal(check_verdict_name(EXIT_PENDING), "pending");
	assert_string_equal(check_verdict_name(EXIT_UNREACHABLE), "unreachable");
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_nothing_is_wrong),
		TEST(test_pending),
		TEST(test_listed_and_not_there),
		TEST(test_there_and_not_listed),
		TEST(test_files_that_cannot_be_run),
		TEST(test_scripts_that_cannot_be_run),
		TEST(test_a_broken_journal),
		TEST(test_no_folder),
		TEST(test_more_problems_than_a_folder_lists),
		TEST(test_findings_have_a_bound),
		TEST(test_when_out_of_order_in_the_journal),
		TEST(test_when_in_the_future),
		TEST(test_whens_that_are_advised_are_apart),
		TEST(test_whens_that_are_advised_are_right),
		TEST(test_when_far_beyond_any_time),
		TEST(test_idx_twice),
		TEST(test_idx_twice_that_names_nothing),
		TEST(test_unreachable),
		TEST(test_precedence),
		TEST(test_out_of_order),
		TEST(test_out_of_order_next_time),
		TEST(test_out_of_order_behind_a_row_without_a_file),
		TEST(test_out_of_order_in_a_numbered_folder),
		TEST(test_modified),
		TEST(test_modified_by_our_journal),
		TEST(test_eol_only),
		TEST(test_read_in_turns),
		TEST(test_scanned_meanwhile),
		TEST(test_snapshots_are_no_more),
		TEST(test_many_changed),
		TEST(test_recorded_and_no_file),
		TEST(test_rows_without_a_key),
		TEST(test_a_file_that_is_split),
		TEST(test_other_refusals),
		TEST(test_stopped),
		TEST(test_stopped_in_another_phase),
		TEST(test_phases),
		cmocka_unit_test(test_names),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
