/* SPDX-License-Identifier: PostgreSQL */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "layouts.h"

#define UP   "-- +goose Up\n"
#define DOWN "-- +goose Down\n"

static void
test_migrations(void **state)
{
	static const struct layouts_file files[] = {
		{ "00001_a.sql",
		    "-- a comment\n\n  -- one more\n" UP "A;\n" DOWN "-A;\n" },
		{ "00002_b_c.sql",
		    UP "-- +goose StatementBegin\nB;;\r\n-- +goose StatementEnd\n" },
		{ "10_no.sql",
		    "-- +goose up\r\nC;\n--+goose   No Transaction \n--  +goose down\n-C;" },
		{ "11_.sql", "-- +goose ENVSUB OFF\n" UP },
		{ "12_text.sql", UP "SELECT '+goose';" },
		{ "helper.go", "package migrations" },
		{ "00003_x_test.go", "package migrations" },
		{ NULL, NULL },
	};
	static const struct layouts_migration rows[] = {
		{ "00001_a", "1", "a", "A;\n", "00001_a.sql", "-A;\n", false, false },
		{ "00002_b_c", "2", "b_c",
		    "-- +goose StatementBegin\nB;;\r\n-- +goose StatementEnd\n", NULL,
		    NULL, false, false },
		{ "10_no", "10", "no", "C;\n--+goose   No Transaction \n", "10_no.sql",
		    "-C;", true, true },
		{ "11_", "11", "11_", "", NULL, NULL, false, false },
		{ "12_text", "12", "text", "SELECT '+goose';", NULL, NULL, false, false },
	};
	struct folder *folder = layouts_load(NULL, files);

	(void)state;
	assert_ptr_equal(folder->layout, &layout_goose);
	assert_int_equal(folder->n_problems, 0);
	layouts_check(folder, rows, ARRAY_SIZE(rows));
	assert_int_equal(folder->migrations[0]->parts[0].line, 5);
	assert_int_equal(folder->migrations[0]->down->parts[0].line, 7);
	folder_unref(folder);
}

static void
test_files_that_are_refused(void **state)
{
	static const struct layouts_refused rows[] = {
		{ "", "there is no line \"-- +goose Up\"", 0 },
		{ "-- A;\n", "there is no line \"-- +goose Up\"", 0 },
		{ "\nA;\n" UP, "SQL before", 2 },
		{ "-", "SQL before", 1 },
		{ UP "A;\n" UP, "a second \"-- +goose Up\"", 3 },
		{ DOWN, "\"-- +goose Down\" without", 1 },
		{ UP DOWN DOWN, "a second \"-- +goose Down\"", 3 },
		{ UP DOWN UP, "a second \"-- +goose Up\"", 3 },
		{ UP "-- +goose StatementBegin\nA;", "without its StatementEnd", 0 },
		{ UP "-- +goose StatementEnd\n", "a StatementEnd that does not", 2 },
		{ "-- +goose StatementBegin\n" UP, "a StatementBegin that does not", 1 },
		{ UP "-- +goose StatementBegin\n-- +goose StatementBegin\n",
		    "a StatementBegin that does not", 3 },
		{ UP "-- +goose ENVSUB ON\nA ${B};", "environment variables", 2 },
		{ UP " -- +goose Down\n", "would refuse this annotation", 2 },
		{ UP "-- +goose Dwon\n", "would refuse this annotation", 2 },
		{ UP "-- see +goose\n", "would refuse this annotation", 2 },
		{ UP "-- +goose\n", "would refuse this annotation", 2 },
		{ "-- +goose Up\n\xEF\xBB\xBF\xFF", "not valid UTF-8", 2 },
	};

	(void)state;
	layouts_check_refused("goose", rows, ARRAY_SIZE(rows));
}

static void
test_other_files(void **state)
{
	static const struct layouts_other rows[] = {
		{ "seed.sql", false, "goose passes it over", NULL },
		{ "2_x.go", true, "written in Go", NULL },
		{ "01_b.sql", true, "01_b.sql and 1_a.sql have the same number",
		    "1_a.sql" },
		{ "0_b.sql", false, "the number 0 is goose's own row", NULL },
	};

	(void)state;
	layouts_check_others("goose", "1_a.sql", UP "A;", rows, ARRAY_SIZE(rows));
}

/* What is no goose folder stays a sequence. */
static void
test_detect(void **state)
{
	static const struct {
		const char *text;
		const struct layout *layout;
	} rows[] = {
		{ UP, &layout_goose },
		{ "A;\n-- +goose Up", &layout_goose },
		{ "A;", &layout_sequence },
		{ DOWN, &layout_sequence },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		const struct layouts_file files[] = { { "1_a.sql", rows[i].text },
			{ "2_b.sql", UP }, { "a.sql", UP }, { NULL, NULL } };
		struct folder *folder = layouts_load(NULL, files);

		assert_ptr_equal(folder->layout, rows[i].layout);
		folder_unref(folder);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_migrations),
		cmocka_unit_test(test_files_that_are_refused),
		cmocka_unit_test(test_other_files),
		cmocka_unit_test(test_detect),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
