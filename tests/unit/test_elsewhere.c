/* SPDX-License-Identifier: PostgreSQL */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/mem.h"
#include "core/elsewhere.h"

#define A10 "aaaaaaaaaa"
#define SUM "aaaa" A10 A10 A10 A10 A10 A10

static struct folder *
folder_of(const void *ctx, const char *const *files)
{
	struct folder *folder = mem_zero(ctx, struct folder);

	folder->migrations = mem_array(folder, struct migration *, 8);
	for (; *files != NULL; files++) {
		struct migration *m = mem_zero(folder, struct migration);

		m->file = *files;
		m->id = mem_strndup(m, m->file, strlen(m->file) - strlen(".sql"));
		m->version = mem_strndup(m, m->id, strcspn(m->id, "_"));
		m->order = strtoll(m->version, NULL, 10);
		memcpy(m->checksum, SUM, sizeof(SUM));
		m->checksum[0] = (char)('0' + folder->n_migrations);
		folder->migrations[folder->n_migrations++] = m;
	}
	return folder;
}

#define ROWS 6

/* Rows of a table that does not say something have NULL there. */
static void
test_find(void **state)
{
	static const struct {
		const char *what;
		struct history_row rows[ROWS];
		bool found;
	} cases[] = {
		{ "the id", { { .key = "0002_orders" } }, true },
		{ "the file", { { .key = "x" }, { .key = "0002_orders.sql" } }, true },
		{ "another file", { { .key = "0002_order.sql" } }, false },
		{ "a failure", { { .key = "0002_orders.sql", .failed = true } }, false },
		{ "number and name", { { .key = "0002", .name = "orders" } }, true },
		{ "as another tool writes it", { { .key = "3", .name = "Add e-mail" } },
		    true },
		{ "number, another's name",
		    { { .key = "1", .name = "accounts" }, { .key = "2", .name = "bills" },
			{ .key = "3", .name = "x" } },
		    false },
		{ "a name without a letter", { { .key = "2", .name = "-" } }, true },
		{ "the newest number alone", { { .key = "3" } }, true },
		{ "all numbers", { { .key = "1" }, { .key = "2" }, { .key = "3" } },
		    true },
		{ "half of them", { { .key = "3" }, { .key = "77" } }, true },
		{ "00 of Supabase beside its times",
		    { { .key = "00" }, { .key = "20171026211738" },
			{ .key = "20171026211808" } },
		    false },
		{ "a day of many",
		    { { .key = "20200101" }, { .key = "20210101" },
			{ .key = "20240302" } },
		    false },
		{ "one time of many",
		    { { .key = "20200101000000" }, { .key = "20210101000000" },
			{ .key = "20240301120000" } },
		    true },
		{ "that time, another name",
		    { { .key = "20240301120000", .name = "other" } }, false },
		{ "no key", { { .name = "orders", .checksum = "" } }, false },
		{ "an empty key", { { .key = "" } }, false },
	};
	static const char *const files[] = { "0000_init.sql", "0002_orders.sql",
		"0003_add_email.sql", "20240301120000_times.sql", "20240302_day.sql",
		NULL };
	void *ctx = mem_context(NULL, "test");
	struct folder *folder = folder_of(ctx, files);

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct history *history = history_new(ctx, HISTORY_BY_VERSION);
		struct elsewhere_table table = { "s", "t", "sqlx", history };
		const struct elsewhere elsewhere = { "o.u", &table, 1 };

		for (size_t r = 0; r < ROWS; r++) {
			const struct history_row *row = &cases[i].rows[r];

			if (row->key != NULL || row->name != NULL)
				history_add(history, row);
		}
		if ((elsewhere_find(&elsewhere, folder) != NULL) != cases[i].found)
			fail_msg("%s", cases[i].what);
		assert_null(elsewhere_find(&elsewhere, mem_zero(ctx, struct folder)));
	}
	talloc_free(ctx);
}

static void
test_find_by_checksum(void **state)
{
	static const char *const files[] = { "0000_init.sql", "0001_x.sql", NULL };
	void *ctx = mem_context(NULL, "test");
	struct folder *folder = folder_of(ctx, files);
	struct history *mine = history_new(ctx, HISTORY_BY_VERSION);
	struct history *others = history_new(ctx, HISTORY_BY_VERSION);
	struct elsewhere_table tables[] = { { "a", "t", "drizzle", others },
		{ "b", "t", "drizzle", mine } };
	const struct elsewhere elsewhere = { "o.u", tables, 2 };

	(void)state;
	history_add(others, &(struct history_row){ .key = "17", .checksum = "feed" });
	assert_null(elsewhere_find(&elsewhere, folder));
	history_add(mine,
	    &(struct history_row){
		.key = "17", .checksum = folder->migrations[1]->checksum });
	assert_ptr_equal(elsewhere_find(&elsewhere, folder), &tables[1]);
	talloc_free(ctx);
}

static void
test_refuse(void **state)
{
	static const struct {
		const char *kind;
		const struct layout *layout;
		const char *text;
		const char *hint;
	} rows[] = {
		{ "sqlx", &layout_sequence,
		    "table s.t, a sqlx tracking table, has rows of these migrations, and "
		    "ours, o.u, has none",
		    "it: layout = sqlx, tracking = sqlx, tracking_schema = s, "
		    "tracking_table = t;" },
		{ "sqlx", NULL, "and ours, o.u, has none",
		    "it: layout = sqlx, tracking = sqlx," },
		{ "drizzle", &layout_drizzle, "a drizzle tracking table",
		    "it: tracking = drizzle," },
		{ "unheard", &layout_drizzle, "a unheard tracking table",
		    "it: tracking = unheard," },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct elsewhere_table table = { "s", "t", rows[i].kind, NULL };
		const struct elsewhere elsewhere = { "o.u", &table, 1 };
		struct err err = { 0 };

		elsewhere_refuse(&elsewhere, &table, rows[i].layout, &err);
		assert_int_equal(err.category, CAT_CONFIGURATION);
		assert_int_equal(err.http_status, 409);
		assert_int_equal(err.exit_code, EXIT_REFUSED);
		assert_non_null(strstr(err.text, rows[i].text));
		assert_non_null(strstr(err.hint, rows[i].hint));
		assert_non_null(strstr(err.hint, "other_tracking = ignore"));
	}
}

static void
test_note(void **state)
{
	static const char *const texts[] = { "tracking table, has rows, but none",
		"has rows (and 1 more such table), but",
		"(and 2 more such tables), but" };
	struct elsewhere_table tables[3] = { { "auth", "t", "dbmate", NULL } };

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(texts); i++) {
		const struct elsewhere elsewhere = { "o.u", tables, i + 1 };
		struct err err = { 0 };

		elsewhere_note(&elsewhere, &err);
		assert_non_null(strstr(err.text, "table auth.t, a dbmate tracking"));
		assert_non_null(strstr(err.text, texts[i]));
		assert_non_null(strstr(err.hint, "baseline"));
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_find),
		cmocka_unit_test(test_find_by_checksum),
		cmocka_unit_test(test_refuse),
		cmocka_unit_test(test_note),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
