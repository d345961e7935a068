/* SPDX-License-Identifier: PostgreSQL */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "base/bounds.h"
#include "base/mem.h"
#include "core/snapshot.h"
#include "tempdir.h"

#define UUID1 "e4858ac4-f289-45c6-9e8e-badbd39cef26"
#define UUID2 "b3605b4f-a63f-489e-b4ae-d838c7d67947"
#define TEN   "[[[[[[[[[["
/* no id and no version is so long */
#define LONG "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef0"

static void
test_parse(void **state)
{
	static const struct {
		const char *text;
		const char *id;
		const char *parent;
		size_t n_parents;
		unsigned version;
		bool joins;
	} rows[] = {
		{ "{\"id\": \"" UUID1 "\",\n \"prevId\": \"" UUID2
		  "\", \"version\": \"7\", \"tables\": {\"id\": \"no\", \"x\": [\"prevIds\"]}}\n",
		    UUID1, UUID2, 1, 7, false },
		{ " {\"version\":\"8\",\"id\" : \"a\","
		  "\"prevIds\":[\"b\", \"c\"],"
		  "\"ddl\":[{\"id\":\"d\",\"t\":\"\\\"}\\\\\"}],\"n\":1}",
		    "a", "b", 2, 8, true },
		{ "{\"id\":\"a\",\"prevId\":\"\"}", "a", SNAPSHOT_ORIGIN, 1, 0, false },
		/* the first of 1.0 */
		{ "{\"id\":\"a\",\"prevIds\":[]}", "a", NULL, 0, 0, true },
		/* members of other types are no ids */
		{ "{\"id\":\"a\",\"prevId\":\"b\",\"version\":7,\"prevIds\":{\"c\":\"d\"}}",
		    "a", "b", 1, 0, false },
		{ "{\"id\":\"a\",\"prevId\":\"b\",\"version\":\"" LONG "\"}", "a", "b", 1,
		    0, false },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		void *ctx = mem_context(NULL, "test");
		struct snapshot s = { .file = "meta/0000_snapshot.json" };

		snapshot_parse(&s, ctx, rows[i].text, strlen(rows[i].text));
		assert_null(s.problem);
		assert_string_equal(s.id, rows[i].id);
		assert_int_equal(s.n_parents, rows[i].n_parents);
		if (rows[i].parent)
			assert_string_equal(s.parents[0], rows[i].parent);
		assert_int_equal(s.version, rows[i].version);
		assert_int_equal(s.joins, rows[i].joins);
		talloc_free(ctx);
	}
}

static void
test_parse_what_is_none(void **state)
{
	static const struct {
		const char *text;
		const char *says;
		unsigned line;
	} rows[] = {
		{ "", "not a JSON object", 1 },
		{ " \n[]", "not a JSON object", 2 },
		{ "{\"id\": \"a\",\n\"prevId\": \"b", "in the middle of a string", 2 },
		{ "{\"id\": \"a\\", "in the middle of a string", 1 },
		{ "{\"id\": \"a\",\n\"tables\": {", "ends in the middle", 2 },
		{ "{\"id\": \"a\"\n]", "a bracket that nothing opened", 2 },
		{ "{}\n\n{}", "something stands behind its end", 3 },
		{ "{}", "no \"id\" and \"prevId\"", 1 },
		{ "{\"id\": \"a\"}", "no \"id\" and \"prevId\"", 1 },
		{ "{\"prevId\": \"a\"}", "no \"id\" and \"prevId\"", 1 },
		{ "{\"prevId\": \"a\", \"id\": \"" LONG "\"}", "no \"id\" and \"prevId\"",
		    1 },
		{ "{\"id\": \"a\", \"prevId\": \"b'; touch x; '\"}",
		    "no \"id\" and \"prevId\"", 1 },
		{ "{\"id\": \"a\\\"\", \"prevId\": \"b\"}", "no \"id\" and \"prevId\"",
		    1 },
		{ "{\"a\": " TEN TEN TEN TEN TEN TEN TEN TEN, "nested too deeply", 1 },
		{ "{\n<<<<<<< HEAD\n\"id\": \"a\",", "merge conflict", 2 },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		void *ctx = mem_context(NULL, "test");
		struct snapshot s = { .file = "meta/0000_snapshot.json" };

		snapshot_parse(&s, ctx, rows[i].text, strlen(rows[i].text));
		assert_non_null(s.problem);
		assert_non_null(strstr(s.problem->text, rows[i].says));
		assert_string_equal(s.problem->file, "meta/0000_snapshot.json");
		assert_int_equal(s.problem->line, rows[i].line);
		talloc_free(ctx);
	}
}

/* Of many parents the first 64 are kept. */
static void
test_parents_have_a_bound(void **state)
{
	void *ctx = mem_context(NULL, "test");
	char *text = mem_strdup(ctx, "{\"id\":\"a\",\"prevIds\":[");
	struct snapshot s = { .file = "x/snapshot.json" };

	(void)state;
	for (unsigned i = 0; i < 70; i++)
		text = talloc_asprintf_append(text, "%s\"p%u\"", i ? "," : "", i);
	text = talloc_asprintf_append(text, "]}");
	snapshot_parse(&s, ctx, text, strlen(text));
	assert_null(s.problem);
	assert_int_equal(s.n_parents, 64);
	talloc_free(ctx);
}

/* In so many turns of `budget` bytes. */
static struct snapshot_list *
read_again(const struct folder *folder, const struct snapshot_list *known, size_t budget,
    unsigned n_turns)
{
	struct snapshot_reading *reading = snapshot_reading_new(NULL, folder, known);
	unsigned turns = 0;
	bool is_done = false;

	while (!is_done) {
		size_t left = budget;

		is_done = snapshot_reading_step(reading, &left);
		assert_true(left <= budget);
		turns++;
	}
	assert_int_equal(turns, n_turns);
	return snapshot_reading_end(reading, NULL);
}

/* Whole files, until the bytes of a turn are used up; to open one costs some, too. */
static void
test_read_in_turns(void **state)
{
	struct folder folder = { .path = *state, .layout = &layout_drizzle };
	char text[20001];
	struct snapshot_list *first, *second;

	snprintf(text, sizeof(text), "{\"id\":\"a\",\"prevId\":\"b\"}%19000s", "");
	for (unsigned i = 0; i < 6; i++) {
		char file[64];

		snprintf(file, sizeof(file), "meta/%04u_snapshot.json", i);
		tempdir_text(*state, file, text);
	}
	first = read_again(&folder, NULL, 1, 6);
	talloc_free(first);
	first = read_again(&folder, NULL, 40000, 3);
	assert_int_equal(first->n, 6);
	assert_string_equal(first->snapshots[5].id, "a");
	/* known, and so only looked at */
	second = read_again(&folder, first, 40000, 1);
	assert_string_equal(second->snapshots[5].id, "a");
	talloc_free(first);
	talloc_free(second);
}

/* What is the same file is not read again. */
static void
test_read_once(void **state)
{
	struct folder folder = { .path = *state, .layout = &layout_drizzle };
	struct snapshot_list *first, *second;

	tempdir_text(
	    *state, "meta/0001_snapshot.json", "{\"id\":\"a\",\"prevId\":\"b\"}");
	tempdir_text(*state, "meta/0002_snapshot.json", "no");
	first = snapshot_list_read(NULL, &folder);
	first->snapshots[0].id = "kept";
	second = read_again(&folder, first, SIZE_MAX, 1);
	talloc_free(first);
	assert_string_equal(second->snapshots[0].id, "kept");
	assert_string_equal(second->snapshots[0].parents[0], "b");
	assert_non_null(strstr(second->snapshots[1].problem->text, "not a JSON"));

	/* as git writes: another file of that name */
	tempdir_text(*state, "meta/new", "{\"id\":\"c\",\"prevId\":\"b\"}");
	assert_int_equal(
	    rename(tempdir_path((char[1024]){ 0 }, *state, "meta/new"),
		tempdir_path((char[1024]){ 0 }, *state, "meta/0001_snapshot.json")),
	    0);
	first = read_again(&folder, second, SIZE_MAX, 1);
	talloc_free(second);
	assert_string_equal(first->snapshots[0].id, "c");
	talloc_free(first);
}

static char *
beside(const void *ctx, const struct migration *m)
{
	return m->id[0] == 'x' ? NULL : mem_printf(ctx, "%s/snapshot.json", m->id);
}

static void
test_read_a_folder_of_snapshots(void **state)
{
	struct folder folder = { .path = *state, .layout = &layout_drizzle };
	struct snapshot_list *list;

	tempdir_text(*state, "meta/0002_snapshot.json", "no");
	tempdir_text(
	    *state, "meta/0001_snapshot.json", "{\"id\":\"a\",\"prevId\":\"b\"}");
	tempdir_text(*state, "meta/_snapshot.json", "prefix none");
	tempdir_text(*state, "meta/_journal.json", "no snapshot");
	list = snapshot_list_read(NULL, &folder);
	assert_int_equal(list->n, 2);
	assert_string_equal(list->snapshots[0].file, "meta/0001_snapshot.json");
	assert_null(list->snapshots[0].problem);
	assert_non_null(list->snapshots[1].problem);
	assert_ptr_equal(
	    snapshot_find(list, "meta/0002_snapshot.json"), &list->snapshots[1]);
	assert_null(snapshot_find(list, "meta/0003_snapshot.json"));
	talloc_free(list);
}

static void
test_read_snapshots_beside_migrations(void **state)
{
	static const struct layout layout = { .name = "test", .snapshot_file = beside };
	struct migration b = { .id = "b" }, a = { .id = "a" }, x = { .id = "x" },
			 c = { .id = "c" };
	struct migration *all[] = { &b, &a, &x, &c };
	struct folder folder = {
		.path = *state, .layout = &layout, .migrations = all, .n_migrations = 4
	};
	struct snapshot_list *list;

	tempdir_text(*state, "b/snapshot.json", "{\"id\":\"2\",\"prevIds\":[\"1\"]}");
	tempdir_text(*state, "a/snapshot.json", "{\"id\":\"1\",\"prevIds\":[]}");
	tempdir_text(*state, "c/migration.sql", "");
	list = snapshot_list_read(NULL, &folder);
	assert_int_equal(list->n, 2);
	assert_string_equal(list->snapshots[0].file, "a/snapshot.json");
	assert_string_equal(list->snapshots[1].id, "2");
	talloc_free(list);
}

static void
test_read_what_cannot_be_read(void **state)
{
	struct folder folder = { .path = mem_strdup(NULL, "/nonexistent"),
		.layout = &layout_drizzle };
	struct snapshot_list *list;

	/* told by the folder itself */
	assert_null(snapshot_list_read(NULL, &folder));
	talloc_free(folder.path);
	folder.path = *state;
	folder.layout = &layout_sequence;
	assert_null(snapshot_list_read(NULL, &folder));
	folder.layout = NULL;
	assert_null(snapshot_list_read(NULL, &folder));

	folder.layout = &layout_drizzle;
	list = snapshot_list_read(NULL, &folder);
	assert_int_equal(list->n, 0);
	assert_null(snapshot_find(list, "meta/0000_snapshot.json"));
	talloc_free(list);

	tempdir_text(*state, "meta/_journal.json", "{}");
	tempdir_link(*state, "meta/0000_snapshot.json", "/etc/passwd");
	list = snapshot_list_read(NULL, &folder);
	assert_int_equal(list->n, 1);
	assert_int_equal(list->snapshots[0].problem->category, CAT_SECURITY_VIOLATION);
	assert_string_equal(list->snapshots[0].problem->file, "meta/0000_snapshot.json");
	talloc_free(list);
}

/* Files of nothing but holes: they cost no disk, and no time but for the reading. */
static void
test_all_together_have_a_bound(void **state)
{
	struct folder folder = { .path = *state, .layout = &layout_drizzle };
	struct snapshot_list *list, *next;
	unsigned n = BOUND_SNAPSHOTS_BYTES / BOUND_SNAPSHOT_BYTES + 1;
	char name[64], path[1024];

	for (unsigned i = 0; i < n; i++) {
		snprintf(name, sizeof(name), "meta/%04u_snapshot.json", i);
		tempdir_text(*state, name, "x");
		assert_int_equal(truncate(tempdir_path(path, *state, name),
				     (off_t)BOUND_SNAPSHOT_BYTES),
		    0);
	}
	list = snapshot_list_read(NULL, &folder);
	assert_int_equal(list->n, n);
	assert_non_null(strstr(list->snapshots[0].problem->text, "not a JSON object"));
	assert_non_null(
	    strstr(list->snapshots[n - 1].problem->text, "hold more than 256 MiB"));

	/* what was not read is not known: now there is room for it */
	next = read_again(&folder, list, SIZE_MAX, 1);
	assert_non_null(
	    strstr(next->snapshots[n - 1].problem->text, "not a JSON object"));
	talloc_free(list);
	talloc_free(next);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_parse),
		cmocka_unit_test(test_parse_what_is_none),
		cmocka_unit_test(test_parents_have_a_bound),
		TEMPDIR_TEST(test_read_a_folder_of_snapshots),
		TEMPDIR_TEST(test_read_in_turns),
		TEMPDIR_TEST(test_read_once),
		TEMPDIR_TEST(test_read_snapshots_beside_migrations),
		TEMPDIR_TEST(test_read_what_cannot_be_read),
		TEMPDIR_TEST(test_all_together_have_a_bound),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
