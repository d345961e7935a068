/* SPDX-License-Identifier: PostgreSQL */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "base/mem.h"
#include "core/history.h"
#include "scratch.h"

static void
test_new_is_empty(void **state)
{
	struct history *history = history_new(*state, HISTORY_BY_FILE);

	assert_int_equal(history->key, HISTORY_BY_FILE);
	assert_int_equal(history->n_rows, 0);
	assert_false(history->table_exists);
	history_mark_baseline(history, "1");
}

static void
test_rows_are_copies_in_their_order(void **state)
{
	struct history *history = history_new(*state, HISTORY_BY_VERSION);
	char key[16];

	for (int i = 0; i < 100; i++) {
		struct history_row row = { .key = key, .has_order = true, .order = i };

		snprintf(key, sizeof(key), "%d", i);
		history_add(history, &row);
	}
	assert_int_equal(history->n_rows, 100);
	for (int i = 0; i < 100; i++) {
		snprintf(key, sizeof(key), "%d", i);
		assert_string_equal(history->rows[i].key, key);
		assert_int_equal(history->rows[i].order, i);
	}
}

static void
test_all_columns_are_kept(void **state)
{
	char name[] = "users", checksum[] = "abc", error[] = "no";
	struct history *history = history_new(*state, HISTORY_BY_VERSION);
	struct history_row row = {
		.name = name,
		.checksum = checksum,
		.error = error,
		.failed = true,
		.applied_at_us = 42,
	};

	history_add(history, &row);
	name[0] = checksum[0] = error[0] = '!';
	assert_null(history->rows[0].key);
	assert_string_equal(history->rows[0].name, "users");
	assert_string_equal(history->rows[0].checksum, "abc");
	assert_string_equal(history->rows[0].error, "no");
	assert_true(history->rows[0].failed);
	assert_false(history->rows[0].has_order);
	assert_int_equal(history->rows[0].applied_at_us, 42);
}

static void
test_baseline_marks_each_row_of_the_key(void **state)
{
	static const char *const keys[] = { "3", "1", NULL, "2", "1", "10" };
	struct history *history = history_new(*state, HISTORY_BY_VERSION);
	struct history_row late = { .key = "4" };

	for (size_t i = 0; i < ARRAY_SIZE(keys); i++)
		history_add(history, &(struct history_row){ .key = keys[i] });
	history_mark_baseline(history, "1");
	history_mark_baseline(history, "5");
	for (size_t i = 0; i < ARRAY_SIZE(keys); i++)
		assert_int_equal(history->rows[i].baseline, i == 1 || i == 4);

	/* a row that came after the first look is found, too */
	history_add(history, &late);
	history_mark_baseline(history, "4");
	assert_true(history->rows[6].baseline);
	assert_true(history->rows[1].baseline);
	assert_false(history->rows[0].baseline);
}

static void
test_checksums_that_were_noted(void **state)
{
	static const char *const ids[] = { "0001_a", "0002_b", "0010_c", "B" };
	struct history *history = history_new(*state, HISTORY_BY_VERSION);
	char id[] = "0001_a";

	assert_null(history_noted_checksum(history, "0001_a"));
	for (size_t i = 0; i < ARRAY_SIZE(ids); i++)
		history_note_checksum(history, i == 0 ? id : ids[i], ids[i] + 1);
	id[0] = 'x'; /* what was noted is a copy */
	for (size_t i = 0; i < ARRAY_SIZE(ids); i++)
		assert_string_equal(history_noted_checksum(history, ids[i]), ids[i] + 1);
	assert_null(history_noted_checksum(history, "0001"));
	assert_null(history_noted_checksum(history, "x"));
}

static void
test_the_first_reason_to_stop_stays(void **state)
{
	struct history *history = history_new(*state, HISTORY_BY_VERSION);
	struct err first = { 0 }, second = { 0 };

	assert_null(history->stop);
	err_set(&first, CAT_CONFIGURATION, "first");
	err_set(&second, CAT_CONFIGURATION, "second");
	history_stop(history, &first);
	history_stop(history, &second);
	assert_string_equal(history->stop->text, "first");
}

static void
test_remove(void **state)
{
	static const struct history_row rows[] = {
		{ .key = "1", .checksum = "a" },
		{ .key = "1", .checksum = "b" },
		{ .key = "1", .checksum = "a", .failed = true },
		{ .key = NULL, .checksum = "a" },
		{ .key = "1", .checksum = "a" },
		{ .key = "2", .checksum = NULL },
	};
	struct history *history = history_new(NULL, HISTORY_BY_VERSION);

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++)
		history_add(history, &rows[i]);
	history_mark_baseline(history, "2");
	history_remove(history, &rows[0]);
	assert_int_equal(history->n_rows, 4);
	assert_string_equal(history->rows[0].checksum, "b");
	assert_true(history->rows[1].failed);
	assert_null(history->rows[2].key);
	history_remove(history, &rows[5]);
	history_remove(history, &rows[3]);
	assert_int_equal(history->n_rows, 2);
	/* there is room again, and the index of keys is made anew */
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++)
		history_add(history, &rows[i]);
	history_mark_baseline(history, "2");
	assert_true(history->rows[7].baseline);
	talloc_free(history);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		SCRATCH_TEST(test_new_is_empty),
		cmocka_unit_test(test_remove),
		SCRATCH_TEST(test_rows_are_copies_in_their_order),
		SCRATCH_TEST(test_all_columns_are_kept),
		SCRATCH_TEST(test_baseline_marks_each_row_of_the_key),
		SCRATCH_TEST(test_checksums_that_were_noted),
		SCRATCH_TEST(test_the_first_reason_to_stop_stays),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
