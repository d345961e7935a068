/* SPDX-License-Identifier: PostgreSQL */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/bounds.h"
#include "base/file.h"
#include "base/mem.h"
#include "core/author.h"
#include "core/author_kind.h"
#include "core/snapshot.h"
#include "tempdir.h"

#define NOW_US  INT64_C(1763618292123000) /* 2025-11-20T05:58:12.123Z */
#define JOURNAL "meta/_journal.json"

struct place {
	char *dir;
	struct folder *folder;
	struct author_made *made;
	struct err err;
};

static int
setup(void **state)
{
	struct place *place = mem_zero(NULL, struct place);

	place->dir = tempdir_make();
	*state = place;
	return 0;
}

static int
teardown(void **state)
{
	struct place *place = *state;

	folder_unref(place->folder);
	tempdir_remove(place->dir);
	talloc_free(place);
	return 0;
}

static void
load(struct place *place, const char *layout)
{
	folder_unref(place->folder);
	place->folder = folder_load(place->dir, layout, NULL, 0);
	err_clear(&place->err);
}

static int
create(struct place *place, const char *description)
{
	const struct author_request request = {
		.folder = place->folder, .description = description, .now_us = NOW_US
	};

	return author_create(place, &request, &place->made, &place->err);
}

static void
assert_has(const char *text, const char *part)
{
	if (strstr(text, part) == NULL)
		fail_msg("no \"%s\" in %s", part, text);
}

/* Numbers go on in the folder's own style. */
static void
test_names(void **state)
{
	static const struct {
		const char *newest;
		const char *description;
		const char *id;
	} rows[] = {
		{ NULL, "first", "0001_first" },
		{ "0007_x.sql", "Add users' table!", "0008_add_users_table" },
		{ "0007_x.sql", "don't lose O'Brien", "0008_dont_lose_obrien" },
		{ "042-previous.sql", "add user_preferences-table",
		    "043-add-user-preferences-table" },
		{ "9-x.sql", "y", "10-y" },
		{ "20200101000000_x.sql", "y", "20251120055812_y" },
		{ "20991231235959_x.sql", "y", "20991231235960_y" },
		{ "20991231235960_x.sql", "y", "20991231235961_y" },
		{ "20200101000099_x.sql", "y", "20251120055812_y" },
		{ "1600000000_x.sql", "y", "1763618292_y" },
		{ "2025112001_x.sql", "y", "2025112002_y" },
		/* as wide as a time, and none */
		{ "0000000002_x.sql", "y", "0000000003_y" },
		{ "00000000000041_x.sql", "y", "00000000000042_y" },
		{ "19000101000000_x.sql", "y", "19000101000001_y" },
		{ "20250001000000_x.sql", "y", "20250001000001_y" },
		{ "20251301000000_x.sql", "y", "20251301000001_y" },
		{ "20250100000000_x.sql", "y", "20250100000001_y" },
		{ "20250132000000_x.sql", "y", "20250132000001_y" },
		{ "20250101240000_x.sql", "y", "20250101240001_y" },
		{ "20250101006000_x.sql", "y", "20250101006001_y" },
		{ "0001_x.sql", "  \xc3\xa4 A--b 9 \n", "0002_a_b_9" },
		{ "0001_x.sql",
		    "a very long description of a change that nobody would ever read to its "
		    "end at once",
		    "0002_a_very_long_description_of_a_change_that_nobody_would_ever_r" },
	};
	struct place *place = *state;
	char path[1024];

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		if (rows[i].newest != NULL)
			tempdir_text(place->dir, rows[i].newest, "SELECT 1;");
		load(place, "sequence");
		assert_int_equal(create(place, rows[i].description), 0);
		assert_string_equal(place->made->id, rows[i].id);
		assert_int_equal(place->made->n_files, 1);
		assert_false(place->made->files[0].replaces);
		if (rows[i].newest != NULL)
			unlink(tempdir_path(path, place->dir, rows[i].newest));
	}
}

static void
test_template(void **state)
{
	struct place *place = *state;
	const struct migration *m;

	tempdir_text(place->dir, "042-x.sql", "SELECT 1;");
	load(place, NULL);
	assert_int_equal(create(place, "Add user\npreferences"), 0);
	assert_string_equal(place->made->files[0].path, "043-add-user-preferences.sql");
	assert_string_equal(place->made->files[0].text,
	    "-- Migration 043: Add user preferences\n"
	    "-- Created: 2025-11-20\n"
	    "\n"
	    "\n-- ============================================\n"
	    "-- ROLLBACK SQL (for manual rollback if needed)\n"
	    "-- ============================================\n");
	assert_int_equal(place->made->files[0].len, strlen(place->made->files[0].text));
	assert_has(place->made->advice, "ROLLBACK SQL");

	/* written, it is the folder's newest, and nothing is wrong with it */
	assert_int_equal(author_write(place->dir, place->made, &place->err), 0);
	load(place, NULL);
	assert_int_equal(place->folder->n_problems, 0);
	m = place->folder->migrations[1];
	assert_string_equal(m->id, "043-add-user-preferences");
	assert_null(m->down);
}

/* The list keeps its looks. */
static void
test_list(void **state)
{
	static const struct {
		const char *list, *before, *after;
	} rows[] = {
		{ "manifest.txt", "a.sql # first\n042-b.sql\n",
		    "a.sql # first\n042-b.sql\n043-new.sql\n" },
		{ "manifest.txt", "042-b.sql", "042-b.sql\n043-new.sql\n" },
		/* what nobody lists has its number all the same */
		{ "manifest.txt", "", "043-new.sql\n" },
		{ "manifest.json", "[\n  \"a.sql\",\n  \"042-b.sql\"\n]\n",
		    "[\n  \"a.sql\",\n  \"042-b.sql\",\n  \"043-new.sql\"\n]\n" },
		{ "manifest.json", "[\"042-b.sql\"]", "[\"042-b.sql\",\"043-new.sql\"]" },
		{ "manifest.json", "[ ]", "[\"043-new.sql\" ]" },
		{ "manifest.json",
		    "{\"first\": [\"a.sql\"], \"then\": [\"042-b.sql\"], \"why\": \"]\\\"\"}",
		    "{\"first\": [\"a.sql\"], \"then\": [\"042-b.sql\",\"043-new.sql\"], "
		    "\"why\": \"]\\\"\"}" },
	};
	struct place *place = *state;
	char path[1024];

	tempdir_text(place->dir, "a.sql", "SELECT 1;");
	tempdir_text(place->dir, "042-b.sql", "SELECT 1;");
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		tempdir_text(place->dir, rows[i].list, rows[i].before);
		load(place, NULL);
		assert_int_equal(create(place, "new"), 0);
		assert_int_equal(place->made->n_files, 2);
		assert_string_equal(place->made->files[1].path, rows[i].list);
		assert_true(place->made->files[1].replaces);
		assert_string_equal(place->made->files[1].text, rows[i].after);
		unlink(tempdir_path(path, place->dir, rows[i].list));
	}
}

/* The end of a name that is no longer than one letter: what stands before it is not its own. */
static void
test_list_of_one_letter(void **state)
{
	static const char name[] = ".json";
	struct place *place = *state;

	tempdir_text(place->dir, "n", "");
	folder_unref(place->folder);
	place->folder = folder_load(place->dir, NULL, "n", 0);
	place->folder->list = name + strlen(".jso");
	assert_int_equal(create(place, "new"), 0);
	assert_string_equal(place->made->files[1].path, "n");
	assert_string_equal(place->made->files[1].text, "0001_new.sql\n");
}

/* It is read once more, and may be another by then. */
static void
test_list_that_goes_away(void **state)
{
	struct place *place = *state;
	char path[1024];

	tempdir_text(place->dir, "manifest.json", "[]");
	load(place, NULL);
	tempdir_text(place->dir, "manifest.json", "{\"");
	assert_int_equal(create(place, "new"), -1);
	assert_has(place->err.text, "no array of names");
	assert_string_equal(place->err.file, "manifest.json");
	unlink(tempdir_path(path, place->dir, "manifest.json"));
	err_clear(&place->err);
	assert_int_equal(create(place, "new"), -1);
	assert_string_equal(place->err.file, "manifest.json");
}

static void
test_list_and_no_name(void **state)
{
	struct place *place = *state;

	tempdir_text(place->dir, "manifest.txt", "");
	load(place, "manifest");
	assert_int_equal(create(place, "!"), -1);
	assert_has(place->err.text, "description");
	assert_string_equal(place->err.file, "");
}

/* What is there is never written over. */
static void
test_write_twice(void **state)
{
	struct place *place = *state;

	load(place, "sequence");
	assert_int_equal(create(place, "a"), 0);
	assert_int_equal(author_write(place->dir, place->made, &place->err), 0);
	assert_int_equal(author_write(place->dir, place->made, &place->err), -1);
	assert_has(place->err.text, "0001_a.sql is there already");
}

static int
write_weekday(
    const struct author_request *request, struct author_made *made, struct err *err)
{
	(void)err;
	made->id = mem_printf(made, "friday-%s", request->description);
	return 0;
}

/* A layout says itself how its files are made. */
static void
test_own_author(void **state)
{
	static const struct layout weekdays = { .name = "weekdays",
		.author = write_weekday };
	struct place *place = *state;

	load(place, "sequence");
	place->folder->layout = &weekdays;
	assert_int_equal(create(place, "tidy"), 0);
	assert_string_equal(place->made->id, "friday-tidy");
}

static void
test_refused(void **state)
{
	static const struct layout other = { .name = "goose" };
	struct place *place = *state;

	load(place, "sequence");
	assert_int_equal(create(place, " ?! "), -1);
	assert_has(place->err.text, "no letter or digit");
	assert_non_null(strstr(place->err.hint, "add users"));

	place->folder->layout = &other;
	err_clear(&place->err);
	assert_int_equal(create(place, "a"), -1);
	assert_has(place->err.text, "into a goose folder");

	tempdir_text(place->dir, "0001_a.sql", "");
	tempdir_text(place->dir, "001_b.sql", "");
	load(place, NULL);
	assert_int_equal(create(place, "a"), -1);
	assert_has(place->err.text, "the same number");
}

static int
prepare(struct place *place, const char *sql)
{
	const struct author_request request = {
		.folder = place->folder,
		.description = "add b",
		.sql = sql,
		.len = strlen(sql),
		.file = "/tmp/mine.sql",
		.now_us = NOW_US,
	};

	err_clear(&place->err);
	return author_create(place, &request, &place->made, &place->err);
}

static void
test_prepare(void **state)
{
	static const char back[] = "-- Rollback:\n-- DROP TABLE b;\n";
	struct place *place = *state;
	char whole[256];

	tempdir_text(place->dir, "0001_a.sql", "");
	load(place, NULL);
	assert_int_equal(prepare(place, "CREATE TABLE b ();"), 0);
	assert_string_equal(place->made->id, "0002_add_b");
	assert_has(place->made->files[0].text,
	    "-- Migration 0002: add b\n-- Created: 2025-11-20\n\nCREATE TABLE "
	    "b ();\n\n-- ==");

	snprintf(whole, sizeof(whole), "-- Migration 7: b\nCREATE TABLE b ();\n%s", back);
	assert_int_equal(prepare(place, whole), 0);
	assert_string_equal(place->made->files[0].text, whole);

	assert_int_equal(prepare(place, "SELECT 1;\n<<<<<<< HEAD\n"), -1);
	assert_string_equal(place->err.file, "/tmp/mine.sql");
	assert_int_equal(place->err.line, 2);
	assert_int_equal(prepare(place, "SELECT 1;\nROLLBACK;\n"), -1);
	assert_int_equal(place->err.line, 2);
}

/* An empty file would take its place, and prepare --move removes what it was made of. */
static void
test_too_long(void **state)
{
	struct place *place = *state;
	char *sql = mem_array(place, char, BOUND_FILE_BYTES + 1);
	char *words = mem_array(place, char, BOUND_CONFIG_VALUE + 1);

	memset(sql, ' ', BOUND_FILE_BYTES);
	memset(words, 'a', BOUND_CONFIG_VALUE);
	load(place, "sequence");
	assert_int_equal(prepare(place, sql), -1);
	assert_string_equal(category_name(place->err.category), "CONFIGURATION");
	assert_has(place->err.text, "0001_add_b.sql would be longer than 67108864 bytes");
	assert_null(place->made);

	err_clear(&place->err);
	assert_int_equal(
	    author_new_data(place, words, NOW_US, &place->made, &place->err), -1);
	assert_has(place->err.text, "would be longer than 8192 bytes");
	assert_null(place->made);
}

/* The blanks before the last name are put in once more. */
static void
test_list_too_long(void **state)
{
	static const char name[] = "\"042-b.sql\"]";
	struct place *place = *state;
	char *list = mem_array(place, char, BOUND_JOURNAL_BYTES + 1);

	tempdir_text(place->dir, "042-b.sql", "SELECT 1;");
	memset(list, ' ', BOUND_JOURNAL_BYTES);
	list[0] = '[';
	memcpy(list + BOUND_JOURNAL_BYTES - strlen(name), name, strlen(name));
	tempdir_text(place->dir, "manifest.json", list);
	load(place, NULL);
	assert_int_equal(create(place, "longer than b"), -1);
	assert_has(place->err.text, "the list would be longer than 33554432");
	assert_string_equal(place->err.file, "manifest.json");
	assert_null(place->made);
}

static void
test_new_data(void **state)
{
	struct place *place = *state;

	assert_int_equal(author_new_data(place, "Populate Nick-names", NOW_US,
			     &place->made, &place->err),
	    0);
	assert_string_equal(place->made->id, "2025-11-20_populate_nick_names");
	assert_string_equal(
	    place->made->files[0].path, "2025-11-20_populate_nick_names.sql");
	assert_string_equal(place->made->files[0].text,
	    "-- Data migration: Populate Nick-names\n"
	    "-- Runs once, after the schema. Write it so that it may run again: it is\n"
	    "-- tried anew when it has failed.\n\n");
	assert_int_equal(
	    author_new_data(place, "", NOW_US, &place->made, &place->err), -1);
}

/* ---- drizzle ---- */

static void
write_drizzle(struct place *place)
{
	tempdir_text(place->dir, JOURNAL,
	    "{\"version\": \"7\", \"dialect\": \"postgresql\", \"entries\": "
	    "[{\"idx\": 0, "
	    "\"version\": \"7\", \"when\": 1000, \"tag\": \"0000_init\", "
	    "\"breakpoints\": true}]}");
	tempdir_text(place->dir, "0000_init.sql", "SELECT 1;");
}

static void
test_drizzle(void **state)
{
	struct place *place = *state;
	struct snapshot_list *list;

	write_drizzle(place);
	tempdir_text(place->dir, "meta/0000_snapshot.json",
	    "{\"id\": \"id0\", \"prevId\": \"" SNAPSHOT_ORIGIN
	    "\", \"version\": \"7\", \"tables\": {\"public.users\": {}}}");
	load(place, NULL);
	assert_int_equal(create(place, "Back-fill names"), 0);
	assert_string_equal(place->made->id, "0001_back_fill_names");
	assert_int_equal(place->made->n_files, 3);
	assert_string_equal(place->made->files[0].path, "0001_back_fill_names.sql");
	assert_string_equal(place->made->files[0].text,
	    "-- Custom SQL migration file, put your code below! --");
	assert_string_equal(place->made->files[1].path, "meta/0001_snapshot.json");
	assert_string_equal(place->made->files[2].path, JOURNAL);
	assert_true(place->made->files[2].replaces);
	assert_string_equal(place->made->files[2].text,
	    "{\n"
	    "  \"version\": \"7\",\n"
	    "  \"dialect\": \"postgresql\",\n"
	    "  \"entries\": [\n"
	    "    {\n"
	    "      \"idx\": 0,\n"
	    "      \"version\": \"7\",\n"
	    "      \"when\": 1000,\n"
	    "      \"tag\": \"0000_init\",\n"
	    "      \"breakpoints\": true\n"
	    "    },\n"
	    "    {\n"
	    "      \"idx\": 1,\n"
	    "      \"version\": \"7\",\n"
	    "      \"when\": 1763618292123,\n"
	    "      \"tag\": \"0001_back_fill_names\",\n"
	    "      \"breakpoints\": true\n"
	    "    }\n"
	    "  ]\n"
	    "}");

	assert_int_equal(author_write(place->dir, place->made, &place->err), 0);
	load(place, NULL);
	assert_int_equal(place->folder->n_problems, 0);
	assert_int_equal(place->folder->n_migrations, 2);
	list = snapshot_list_read(place, place->folder);
	assert_int_equal(list->n, 2);
	assert_string_equal(list->snapshots[1].parents[0], "id0");
	assert_int_equal(strlen(list->snapshots[1].id), 36);
}

/* A `when` that is ahead of the clock is gone on from, or it would be passed
 * over. */
static void
test_drizzle_goes_on(void **state)
{
	struct place *place = *state;

	tempdir_text(place->dir, JOURNAL,
	    "{\"version\": \"7\", \"dialect\": \"postgresql\", \"entries\": "
	    "[{\"idx\": 4, \"when\": 9000000000000, \"tag\": \"0000_init\"}, "
	    "{\"when\": 1, \"tag\": \"by_hand\"}]}");
	tempdir_text(place->dir, "0000_init.sql", "SELECT 1;");
	tempdir_text(place->dir, "by_hand.sql", "SELECT 1;");
	load(place, NULL);
	assert_int_equal(prepare(place, "CREATE TABLE b ();"), 0);
	assert_int_equal(place->made->n_files, 2); /* no snapshot to go on from */
	assert_string_equal(place->made->files[0].text, "CREATE TABLE b ();");
	assert_has(place->made->files[1].text, "\"idx\": 5,");
	assert_has(place->made->files[1].text, "\"when\": 9000000000001,");
}

/* Generated in the very millisecond of the newest: drizzle-orm wants more than that. */
static void
test_drizzle_at_the_same_time(void **state)
{
	struct place *place = *state;

	tempdir_text(place->dir, JOURNAL,
	    "{\"version\": \"7\", \"dialect\": \"postgresql\", \"entries\": "
	    "[{\"when\": 1763618292123, \"tag\": \"0000_init\"}]}");
	tempdir_text(place->dir, "0000_init.sql", "SELECT 1;");
	load(place, NULL);
	assert_int_equal(prepare(place, "CREATE TABLE b ();"), 0);
	assert_has(place->made->files[1].text, "\"when\": 1763618292124,");
	assert_has(place->made->files[1].text, "\"idx\": 0,");
}

static void
test_drizzle_refused(void **state)
{
	struct place *place = *state;
	char path[1024];

	write_drizzle(place);
	load(place, NULL);
	assert_int_equal(create(place, "..."), -1);
	tempdir_text(place->dir, "meta/0000_snapshot.json", "[1]");
	assert_int_equal(create(place, "a"), -1);
	err_clear(&place->err);
	assert_int_equal(create(place, "a"), -1);
	assert_string_equal(place->err.file, "meta/0000_snapshot.json");
	assert_has(place->err.text, "not a JSON object");
	/* gone since it was read */
	unlink(tempdir_path(path, place->dir, JOURNAL));
	err_clear(&place->err);
	assert_int_equal(create(place, "a"), -1);
	assert_string_equal(place->err.file, JOURNAL);
}

#define TEST(function) cmocka_unit_test_setup_teardown(function, setup, teardown)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_names),
		TEST(test_template),
		TEST(test_list),
		TEST(test_list_of_one_letter),
		TEST(test_list_that_goes_away),
		TEST(test_list_and_no_name),
		TEST(test_write_twice),
		TEST(test_own_author),
		TEST(test_refused),
		TEST(test_prepare),
		TEST(test_too_long),
		TEST(test_list_too_long),
		TEST(test_new_data),
		TEST(test_drizzle),
		TEST(test_drizzle_goes_on),
		TEST(test_drizzle_at_the_same_time),
		TEST(test_drizzle_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
