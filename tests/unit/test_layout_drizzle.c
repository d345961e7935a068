/* SPDX-License-Identifier: PostgreSQL */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "base/bounds.h"
#include "base/digest.h"
#include "base/mem.h"
#include "core/folder.h"
#include "tempdir.h"

#define JOURNAL "meta/_journal.json"
#define HEAD    "{\"version\": \"7\", \"dialect\": \"postgresql\", \"entries\": ["
#define ENTRY(w, t) \
	"{\"idx\": 0, \"version\": \"7\", \"when\": " w ", \"tag\": \"" t "\"}"
#define WITH_WHEN(w) HEAD ENTRY("1", "0000_a") ",\n" ENTRY(w, "0001_b") "]}"

static void
write_good(const char *dir)
{
	tempdir_text(
	    dir, JOURNAL, HEAD ENTRY("10", "0000_a") "," ENTRY("20", "0001_b") "]}");
	tempdir_text(dir, "0000_a.sql", "SELECT 1;--> statement-breakpoint\nSELECT 2;");
	tempdir_text(dir, "0001_b.sql", "SELECT 3;");
}

static void
test_a_folder_as_drizzle_kit_writes_it(void **state)
{
	struct folder *folder = NULL;

	write_good(*state);
	tempdir_text(*state, "meta/0000_snapshot.json", "not read");
	folder = folder_load(*state, NULL, NULL, 5);

	assert_ptr_equal(folder->layout, &layout_drizzle);
	assert_int_equal(folder->n_problems, 0);
	assert_int_equal(folder->n_unregistered, 0);
	assert_int_equal(folder->n_migrations, 2);
	assert_string_equal(folder->migrations[0]->id, "0000_a");
	assert_string_equal(folder->migrations[0]->version, "10");
	assert_string_equal(folder->migrations[0]->name, "a");
	assert_string_equal(folder->migrations[0]->file, "0000_a.sql");
	assert_int_equal(folder->migrations[0]->order, 10);
	assert_int_equal(folder->migrations[0]->n_parts, 2);
	assert_int_equal(folder->migrations[0]->parts[1].line, 1);
	assert_int_equal(folder->migrations[1]->position, 1);
	assert_string_equal(folder->migrations[1]->text, "SELECT 3;");
	folder_unref(folder);
}

static void
test_a_way_back_in_comments(void **state)
{
	static const char text[] =
	    "CREATE TABLE a ();--> statement-breakpoint\nSELECT 2;\n"
	    "-- ROLLBACK SQL\n-- DROP TABLE a;\n";
	struct folder *folder = NULL;
	const struct migration *m = NULL;
	char digest[DIGEST_HEX];

	write_good(*state);
	tempdir_text(*state, "0000_a.sql", text);
	folder = folder_load(*state, NULL, NULL, 5);
	m = folder->migrations[0];
	assert_non_null(m->down);
	assert_null(m->down->problem);
	assert_int_equal(m->down->n_parts, 1);
	assert_int_equal(m->down->parts[0].line, 3);
	/* what drizzle-orm hashes and runs stays the whole file */
	assert_int_equal(m->n_parts, 2);
	digest_sha256_hex(text, strlen(text), digest);
	assert_string_equal(m->checksum, digest);
	assert_null(folder->migrations[1]->down);
	folder_unref(folder);
}

static void
test_listing_and_snapshots(void **state)
{
	static const struct {
		const char *tag;
		const char *snapshot;
	} rows[] = {
		{ "0000_a", "meta/0000_snapshot.json" },
		{ "20261120055812_b_c", "meta/20261120055812_snapshot.json" },
		{ "_b", NULL },
		{ "0001", NULL },
		{ "more_c", NULL },
	};
	struct folder *folder = NULL;

	tempdir_text(*state, JOURNAL,
	    HEAD "\n{\"idx\": 7, \"when\": 1, \"tag\": \"0000_a\"},"
		 "\n\n{\"when\": 2, \"tag\": \"0001_b\"}]}");
	folder = folder_load(*state, NULL, NULL, 5);
	assert_string_equal(folder->list, JOURNAL);
	assert_int_equal(folder->n_migrations, 2);
	assert_int_equal(folder->migrations[0]->listing.line, 2);
	assert_true(folder->migrations[0]->listing.has_index);
	assert_int_equal(folder->migrations[0]->listing.index, 7);
	assert_int_equal(folder->migrations[1]->listing.line, 4);
	assert_false(folder->migrations[1]->listing.has_index);
	folder_unref(folder);

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct migration m = { .id = rows[i].tag };
		char *file = layout_drizzle.snapshot_file(NULL, &m);

		if (rows[i].snapshot)
			assert_string_equal(file, rows[i].snapshot);
		else
			assert_null(file);
		talloc_free(file);
	}
}

static void
test_versions_and_dialects(void **state)
{
	static const struct {
		const char *head;
		const char *says; /* NULL: supported */
	} rows[] = {
		{ "\"version\": \"5\", \"dialect\": \"pg\"", NULL },
		{ "\"version\": \"6\", \"dialect\": \"postgresql\"", NULL },
		{ "\"version\": \"7\", \"dialect\": \"pg\", \"more\": {\"entries\": [1]}",
		    NULL },
		{ "\"version\": \"99\", \"dialect\": \"pg\"",
		    "\"version\" is \"99\"; \"5\", \"6\" and \"7\"" },
		{ "\"version\": 7, \"dialect\": \"pg\"", "\"version\" is 7;" },
		{ "\"dialect\": \"pg\"", "\"version\" is nothing;" },
		{ "\"version\": \"7\", \"dialect\": \"mysql\"",
		    "\"dialect\" is \"mysql\"; \"postgresql\" and \"pg\"" },
		{ "\"version\": \"7\", \"dialect\": [1,\n2]", "\"dialect\" is [1,2];" },
		{ "\"version\": \"7\"", "\"dialect\" is nothing;" },
		{ "\"dialect\": \"pg\", \"version\": \"7777777777777777777777777777777777777777"
		  "7777777777777777777777777777777777777777777777777777\"",
		    "\"version\" is something long;" },
	};

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		char text[512];
		struct folder *folder = NULL;

		write_good(*state);
		snprintf(text, sizeof(text), "{%s, \"entries\": [%s]}", rows[i].head,
		    ENTRY("1", "0000_a") "," ENTRY("2", "0001_b"));
		tempdir_text(*state, JOURNAL, text);
		folder = folder_load(*state, NULL, NULL, 0);
		if (rows[i].says) {
			const struct folder_problem *problem = folder_blocker(folder);

			assert_int_equal(folder->n_migrations, 0);
			assert_non_null(strstr(problem->err.text, rows[i].says));
			assert_int_equal(problem->state, MIGRATION_INVALID);
			assert_int_equal(problem->err.category, CAT_CONFIGURATION);
			assert_int_equal(
			    err_exit_code(&problem->err), EXIT_CONFIGURATION);
			assert_string_equal(problem->err.file, JOURNAL);
			assert_string_equal(problem->err.hint,
			    "set migrations to a folder that drizzle-kit 0.x has made "
			    "for PostgreSQL");
		} else {
			assert_int_equal(folder->n_problems, 0);
			assert_int_equal(folder->n_migrations, 2);
		}
		folder_unref(folder);
	}
}

/* Journals that cannot be told apart into entries. */
static void
test_broken_journals(void **state)
{
	static const struct {
		const char *text;
		unsigned line;
		const char *says;
	} rows[] = {
		{ "", 1, "not valid JSON" },
		{ "{\n \"version\": \"7\",\n \"entries\": [", 3, "not valid JSON" },
		{ "{\n \"version\": \"7\",\n \"entries\": [],\n}", 4, "not valid JSON" },
		{ "{\n // no\n \"entries\": []}", 2, "not valid JSON" },
		{ "{\"entries\": [], \"x\": \"\xFF\"}", 1, "not valid JSON" },
		{ HEAD "]} x", 1, "not valid JSON" },
		{ HEAD "{\"when\": 9223372036854775808, \"tag\": \"a\"}]}", 1,
		    "not valid JSON" },
		{ HEAD "{\"when\": 1e999, \"tag\": \"a\"}]}", 1, "not valid JSON" },
		{ "\"entries\"", 1, "not valid JSON" },
		{ "null", 1, "not valid JSON" },
		{ "\xEF\xBB\xBF" HEAD "]}", 1, "byte order mark" },
		{ "{\n\"version\": \"7\",\n<<<<<<< HEAD\n\"entries\": []\n"
		  "=======\n\"entries\": []\n>>>>>>> x\n}",
		    3, "unresolved merge conflict" },
		{ HEAD "\n" ENTRY("1", "a") "\n>>>>>>> x\n]}", 3,
		    "unresolved merge conflict" },
		{ "[]", 0, "not a JSON object" },
		{ "{\"version\": \"7\", \"dialect\": \"pg\"}", 0,
		    "\"entries\" is nothing" },
		{ "{\"version\": \"7\", \"dialect\": \"pg\", \"entries\": {\"a\": 1}}", 0,
		    "\"entries\" is an object, not an array" },
		{ "{\"version\": \"7\", \"dialect\": \"pg\", \"entries\": null}", 0,
		    "\"entries\" is null, not an array" },
	};

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		const struct folder_problem *problem = NULL;
		struct folder *folder = NULL;

		tempdir_text(*state, JOURNAL, rows[i].text);
		folder = folder_load(*state, NULL, NULL, 0);
		problem = folder_blocker(folder);
		assert_ptr_equal(folder->layout, &layout_drizzle);
		assert_int_equal(folder->n_migrations, 0);
		assert_int_equal(folder->n_problems, 1);
		assert_non_null(problem);
		assert_non_null(strstr(problem->err.text, rows[i].says));
		assert_int_equal(problem->err.category, CAT_CONFIGURATION);
		assert_int_equal(err_http_status(&problem->err), 422);
		assert_string_equal(problem->err.file, JOURNAL);
		assert_int_equal(problem->err.line, rows[i].line);
		assert_string_not_equal(problem->err.hint, "");
		if (strstr(rows[i].says, "JSON:") || rows[i].line)
			assert_int_equal(err_exit_code(&problem->err), EXIT_FILES);
		folder_unref(folder);
	}
}

/* Entries that block the folder; the entry stands in line 2, or in the one given. */
static void
test_broken_entries(void **state)
{
	static const struct {
		const char *text;
		enum category category;
		unsigned line;
		const char *says;
	} rows[] = {
		{ WITH_WHEN("null"), CAT_CONFIGURATION, 2,
		    "entries[1] (\"0001_b\") has no usable \"when\": it is null" },
		{ HEAD "\n{\"tag\": \"0001_b\"}]}", CAT_CONFIGURATION, 2,
		    "it is nothing" },
		{ WITH_WHEN("1.5"), CAT_CONFIGURATION, 2, "it is 1.5" },
		{ WITH_WHEN("1e21"), CAT_CONFIGURATION, 2, "\"when\"" },
		{ WITH_WHEN("-1e21"), CAT_CONFIGURATION, 2, "\"when\"" },
		{ WITH_WHEN("9007199254740993"), CAT_CONFIGURATION, 2,
		    "it is 9007199254740993" },
		{ WITH_WHEN("-9007199254740993"), CAT_CONFIGURATION, 2, "\"when\"" },
		{ WITH_WHEN("true"), CAT_CONFIGURATION, 2, "it is true" },
		{ WITH_WHEN("{}"), CAT_CONFIGURATION, 2, "it is {}" },
		{ WITH_WHEN("\"\""), CAT_CONFIGURATION, 2, "it is \"\"" },
		{ WITH_WHEN("\"soon\""), CAT_CONFIGURATION, 2, "it is \"soon\"" },
		{ WITH_WHEN("\"1.5\""), CAT_CONFIGURATION, 2, "\"when\"" },
		{ WITH_WHEN("\"1e3\""), CAT_CONFIGURATION, 2, "\"when\"" },
		{ WITH_WHEN("\"99999999999999999999\""), CAT_CONFIGURATION, 2,
		    "\"when\"" },
		{ HEAD "\n\n{\"when\": 1}]}", CAT_CONFIGURATION, 3,
		    "entries[0] has no usable \"tag\": it is nothing" },
		{ HEAD "\n{\"when\": 1, \"tag\": 7}]}", CAT_CONFIGURATION, 2, "it is 7" },
		{ HEAD "\n\"0000_a\"]}", CAT_CONFIGURATION, 2,
		    "entries[0] has no usable \"tag\"" },
		{ HEAD "[[], {\"a\": [1, 2]}, \"],\\\"\"],\n null]}", CAT_CONFIGURATION,
		    1, "entries[0]" },
		{ HEAD ENTRY("1", "0000_a") "\n,\n" ENTRY("2", "x") ",\n" ENTRY(
		      "3", "0000_a") "]}",
		    CAT_CONFIGURATION, 4,
		    "entries[0] and entries[2] have the same tag \"0000_a\"" },
		{ HEAD "\n" ENTRY("2", "../evil") "]}", CAT_SECURITY_VIOLATION, 2,
		    "entries[0], tag \"../evil\": the migration's name has the character '/'" },
		{ HEAD "\n" ENTRY("2", "a/b") "]}", CAT_SECURITY_VIOLATION, 2, "'/'" },
		{ HEAD "\n" ENTRY("2", "..") "]}", CAT_SECURITY_VIOLATION, 2, "'.'" },
		{ HEAD "\n" ENTRY("2", "") "]}", CAT_SECURITY_VIOLATION, 2, "is empty" },
		{ HEAD "\n" ENTRY("2", "a\\nb") "]}", CAT_SECURITY_VIOLATION, 2, "0x0A" },
		{ "{\"version\": \"7\", \"dialect\": \"entries\", \"entries\": [\n9,\n9],\n"
		  "\"dialect\": \"pg\", \"entries\": [\n" ENTRY(
		      "1", "0000_a") ",\n" ENTRY("x", "b"),
		    CAT_CONFIGURATION, 6, "not valid JSON" },
		{ "{\"version\": \"7\", \"dialect\": \"entries\", \"entries\": [\n9,\n9],\n"
		  "\"dialect\": \"pg\", \"entries\": [\n" ENTRY("1", "0000_a") ",\n9]}",
		    CAT_CONFIGURATION, 6, "entries[1]" },
	};

	tempdir_text(*state, "0000_a.sql", "SELECT 1;");
	tempdir_text(*state, "0001_b.sql", "SELECT 1;");
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		const struct folder_problem *problem = NULL;
		struct folder *folder = NULL;

		tempdir_text(*state, JOURNAL, rows[i].text);
		folder = folder_load(*state, NULL, NULL, 0);
		problem = folder_blocker(folder);
		assert_non_null(problem);
		assert_non_null(strstr(problem->err.text, rows[i].says));
		assert_int_equal(problem->err.category, rows[i].category);
		assert_int_equal(problem->state, MIGRATION_INVALID);
		assert_string_equal(problem->err.file, JOURNAL);
		assert_int_equal(problem->err.line, rows[i].line);
		assert_int_equal(err_exit_code(&problem->err), EXIT_FILES);
		assert_string_not_equal(problem->err.hint, "");
		folder_unref(folder);
	}
}

static void
test_when(void **state)
{
	static const struct {
		const char *when;
		const char *version;
	} rows[] = {
		{ "1700000000000", "1700000000000" }, { "1.7e12", "1700000000000" },
		{ "1700000000000.0", "1700000000000" },
		{ "\"1700000000000\"", "1700000000000" }, { "\"-5\"", "-5" },
		{ "-5", "-5" }, { "0", "0" }, { "-0.0", "0" },
		{ "9007199254740992", "9007199254740992" },
		{ "-9007199254740992", "-9007199254740992" },
		{ "0, \"when\": 7", "7" }, /* the last of equal keys wins */
	};

	tempdir_text(*state, "0000_a.sql", "SELECT 1;");
	tempdir_text(*state, "0001_b.sql", "SELECT 1;");
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct folder *folder = NULL;
		char text[512];
		char order[32];

		snprintf(text, sizeof(text), HEAD "{\"tag\": \"0001_b\", \"when\": %s}]}",
		    rows[i].when);
		tempdir_text(*state, JOURNAL, text);
		folder = folder_load(*state, NULL, NULL, 0);
		assert_null(folder_blocker(folder));
		assert_int_equal(folder->n_migrations, 1);
		assert_string_equal(folder->migrations[0]->version, rows[i].version);
		snprintf(order, sizeof(order), "%lld",
		    (long long)folder->migrations[0]->order);
		assert_string_equal(order, rows[i].version);
		folder_unref(folder);
	}
}

static void
test_the_array_gives_the_order(void **state)
{
	struct folder *folder = NULL;

	tempdir_text(*state, JOURNAL,
	    HEAD ENTRY("200", "2_z") "," ENTRY("0", "0_x") "," ENTRY("100", "1_y") "]}");
	tempdir_text(*state, "0_x.sql", "");
	tempdir_text(*state, "1_y.sql", "");
	tempdir_text(*state, "2_z.sql", "");
	folder = folder_load(*state, "drizzle", NULL, 0);
	assert_int_equal(folder->n_problems, 0);
	assert_int_equal(folder->n_migrations, 3);
	assert_string_equal(folder->migrations[0]->id, "2_z");
	assert_string_equal(folder->migrations[1]->id, "0_x");
	assert_string_equal(folder->migrations[2]->id, "1_y");
	folder_unref(folder);
}

static void
test_names_for_people(void **state)
{
	static const struct {
		const char *tag;
		const char *name;
	} rows[] = {
		{ "0003_add_users", "add_users" },
		{ "20261120055812_x", "x" },
		{ "_plain", "plain" },
		{ "plain", "plain" },
		{ "2fa", "2fa" },
		{ "0003_", "0003_" },
		{ "0003", "0003" },
	};

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct folder *folder = NULL;
		char text[256];

		snprintf(text, sizeof(text), HEAD "{\"when\": 1, \"tag\": \"%s\"}]}",
		    rows[i].tag);
		tempdir_text(*state, JOURNAL, text);
		folder = folder_load(*state, NULL, NULL, 0);
		assert_string_equal(folder->migrations[0]->name, rows[i].name);
		folder_unref(folder);
	}
}

/* Whether a missing file matters is the plan's to say: an applied one is not needed any more. */
static void
test_a_missing_file_stays_in_the_folder(void **state)
{
	char path[1024];
	struct folder *folder = NULL;

	write_good(*state);
	assert_int_equal(unlink(tempdir_path(path, *state, "0000_a.sql")), 0);
	folder = folder_load(*state, NULL, NULL, 0);
	assert_int_equal(folder->n_migrations, 2);
	assert_int_equal(
	    folder->migrations[0]->problem->category, CAT_RESOURCE_NOT_FOUND);
	assert_string_equal(folder->migrations[0]->problem->file, "0000_a.sql");
	assert_string_equal(folder->migrations[0]->problem->migration, "0000_a");
	assert_string_equal(folder->migrations[0]->version, "10");
	assert_string_equal(folder->migrations[0]->checksum, "");
	assert_string_equal(folder->migrations[0]->text, "");
	assert_null(folder->migrations[1]->problem);
	assert_int_equal(folder->n_problems, 1);
	assert_int_equal(folder->problems[0].state, MIGRATION_MISSING);
	assert_null(folder_blocker(folder));
	folder_unref(folder);
}

static void
test_files_beside_the_journal_are_noted(void **state)
{
	struct folder *folder = NULL;

	write_good(*state);
	tempdir_text(*state, "0002_stray.sql", "SELECT 1;");
	tempdir_text(*state, "README.md", "");
	tempdir_text(*state, ".hidden.sql", "");
	folder = folder_load(*state, NULL, NULL, 0);
	assert_int_equal(folder->n_migrations, 2);
	assert_int_equal(folder->n_unregistered, 1);
	assert_string_equal(folder->unregistered[0], "0002_stray.sql");
	assert_int_equal(folder->n_problems, 1);
	assert_int_equal(folder->problems[0].state, MIGRATION_UNREGISTERED);
	assert_string_equal(folder->problems[0].err.file, "0002_stray.sql");
	assert_null(folder_blocker(folder));
	folder_unref(folder);
}

static void
test_links(void **state)
{
	char path[1024];
	struct folder *folder = NULL;

	/* inside the folder, as a ConfigMap has them */
	write_good(*state);
	tempdir_text(*state, "data/0001_b.sql", "SELECT 4;");
	assert_int_equal(unlink(tempdir_path(path, *state, "0001_b.sql")), 0);
	tempdir_link(*state, "0001_b.sql", "data/0001_b.sql");
	folder = folder_load(*state, NULL, NULL, 0);
	assert_int_equal(folder->n_problems, 0);
	assert_string_equal(folder->migrations[1]->text, "SELECT 4;");
	folder_unref(folder);

	/* out of it */
	assert_int_equal(unlink(tempdir_path(path, *state, "0001_b.sql")), 0);
	tempdir_link(*state, "0001_b.sql", "/etc/hostname");
	folder = folder_load(*state, NULL, NULL, 0);
	assert_non_null(folder_blocker(folder));
	assert_int_equal(folder_blocker(folder)->err.category, CAT_SECURITY_VIOLATION);
	assert_string_equal(folder_blocker(folder)->err.file, "0001_b.sql");
	assert_int_equal(
	    folder->migrations[1]->problem->category, CAT_SECURITY_VIOLATION);
	folder_unref(folder);
}

static void
test_a_journal_that_leads_outside(void **state)
{
	char path[1024];
	struct folder *folder = NULL;

	write_good(*state);
	assert_int_equal(unlink(tempdir_path(path, *state, JOURNAL)), 0);
	tempdir_link(*state, JOURNAL, "/etc/hostname");
	folder = folder_load(*state, NULL, NULL, 0);
	assert_ptr_equal(folder->layout, &layout_drizzle);
	assert_int_equal(folder_blocker(folder)->err.category, CAT_SECURITY_VIOLATION);
	assert_string_equal(folder_blocker(folder)->err.file, JOURNAL);
	assert_int_equal(err_exit_code(&folder_blocker(folder)->err), EXIT_FILES);
	folder_unref(folder);
}

static void
test_no_journal(void **state)
{
	struct folder *folder = NULL;

	tempdir_text(*state, "0000_a.sql", "SELECT 1;");
	folder = folder_load(*state, "drizzle", NULL, 0);
	assert_ptr_equal(folder->layout, &layout_drizzle);
	assert_int_equal(folder->n_migrations, 0);
	assert_int_equal(folder_blocker(folder)->err.category, CAT_RESOURCE_NOT_FOUND);
	assert_non_null(strstr(folder_blocker(folder)->err.text, "can't find " JOURNAL));
	assert_string_equal(folder_blocker(folder)->err.file, JOURNAL);
	folder_unref(folder);
}

static void
test_an_empty_journal_is_fine(void **state)
{
	struct folder *folder = NULL;

	tempdir_text(*state, JOURNAL, HEAD "]}");
	folder = folder_load(*state, NULL, NULL, 0);
	assert_int_equal(folder->n_problems, 0);
	assert_int_equal(folder->n_migrations, 0);
	folder_unref(folder);
}

static void
test_too_many_entries(void **state)
{
	size_t size = sizeof(HEAD) + 2 * (BOUND_FOLDER_FILES + 1) + 8;
	char *text = calloc(1, size);
	struct folder *folder = NULL;
	size_t len = strlen(HEAD);

	memcpy(text, HEAD, len);
	for (size_t i = 0; i <= BOUND_FOLDER_FILES; i++)
		len += (size_t)snprintf(text + len, size - len, "%s1", i ? "," : "");
	len += (size_t)snprintf(text + len, size - len, "]}");
	tempdir_write(*state, JOURNAL, text, len);
	free(text);
	folder = folder_load(*state, NULL, NULL, 0);
	assert_int_equal(folder->n_problems, 1);
	assert_non_null(strstr(
	    folder_blocker(folder)->err.text, "has 20001 entries, the most is 20000"));
	folder_unref(folder);
}

static void
test_a_journal_that_is_too_large(void **state)
{
	char path[1024];
	struct folder *folder = NULL;

	write_good(*state);
	assert_int_equal(
	    truncate(tempdir_path(path, *state, JOURNAL), BOUND_JOURNAL_BYTES + 1), 0);
	folder = folder_load(*state, NULL, NULL, 0);
	assert_int_equal(folder->n_migrations, 0);
	assert_int_equal(folder_blocker(folder)->err.category, CAT_CONFIGURATION);
	assert_string_equal(folder_blocker(folder)->err.file, JOURNAL);
	folder_unref(folder);
}

/* What a half-copied Drizzle folder must not become: a sequence folder that has it all pending. */
static void
test_detect(void **state)
{
	static const struct {
		const char *file;
		bool drizzle;
	} rows[] = {
		{ "0000_a.sql", false },
		{ "meta/notes.json", false },
		{ "meta/0000_snapshot.json", true },
		{ "meta/_journal.json", true },
	};

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct folder *folder = NULL;

		tempdir_text(*state, rows[i].file, "{}");
		folder = folder_load(*state, NULL, NULL, 0);
		assert_ptr_equal(
		    folder->layout, rows[i].drizzle ? &layout_drizzle : &layout_sequence);
		folder_unref(folder);
	}
}

static void
test_a_meta_that_leads_outside_is_not_overlooked(void **state)
{
	struct folder *folder = NULL;

	tempdir_text(*state, "0000_a.sql", "SELECT 1;");
	tempdir_link(*state, "meta", "/etc");
	folder = folder_load(*state, NULL, NULL, 0);
	assert_ptr_equal(folder->layout, &layout_drizzle);
	assert_int_equal(folder_blocker(folder)->err.category, CAT_SECURITY_VIOLATION);
	folder_unref(folder);
}

static void
test_a_meta_that_is_no_folder(void **state)
{
	struct folder *folder = NULL;

	tempdir_text(*state, "0000_a.sql", "SELECT 1;");
	tempdir_text(*state, "meta", "");
	folder = folder_load(*state, NULL, NULL, 0);
	assert_ptr_equal(folder->layout, &layout_sequence);
	assert_int_equal(folder->n_problems, 0);
	folder_unref(folder);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		TEMPDIR_TEST(test_a_folder_as_drizzle_kit_writes_it),
		TEMPDIR_TEST(test_a_way_back_in_comments),
		TEMPDIR_TEST(test_listing_and_snapshots),
		TEMPDIR_TEST(test_versions_and_dialects),
		TEMPDIR_TEST(test_broken_journals),
		TEMPDIR_TEST(test_broken_entries),
		TEMPDIR_TEST(test_when),
		TEMPDIR_TEST(test_the_array_gives_the_order),
		TEMPDIR_TEST(test_names_for_people),
		TEMPDIR_TEST(test_a_missing_file_stays_in_the_folder),
		TEMPDIR_TEST(test_files_beside_the_journal_are_noted),
		TEMPDIR_TEST(test_links),
		TEMPDIR_TEST(test_a_journal_that_leads_outside),
		TEMPDIR_TEST(test_no_journal),
		TEMPDIR_TEST(test_an_empty_journal_is_fine),
		TEMPDIR_TEST(test_too_many_entries),
		TEMPDIR_TEST(test_a_journal_that_is_too_large),
		TEMPDIR_TEST(test_detect),
		TEMPDIR_TEST(test_a_meta_that_leads_outside_is_not_overlooked),
		TEMPDIR_TEST(test_a_meta_that_is_no_folder),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
