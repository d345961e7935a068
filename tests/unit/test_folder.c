/* SPDX-License-Identifier: PostgreSQL */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/time.h>

#include <cmocka.h>

#include "base/bounds.h"
#include "base/mem.h"
#include "core/folder.h"
#include "tempdir.h"

static struct folder *
load(const char *dir)
{
	return folder_load(dir, NULL, NULL, 0);
}

/* The time of last change, so that only what a test changes differs. */
static void
age(const char *dir, const char *name, long seconds)
{
	const struct timeval times[] = { { seconds, 0 }, { seconds, 0 } };
	char path[1024];

	assert_int_equal(utimes(tempdir_path(path, dir, name), times), 0);
}

static void
test_load(void **state)
{
	struct folder *folder = NULL;
	struct stat st = { 0 };

	tempdir_text(*state, "0001_a.sql", "SELECT 1;");
	tempdir_text(*state, "0002_b.sql", "SELECT 22;");
	folder = folder_load(*state, "auto", NULL, 4711);
	assert_int_equal(stat(*state, &st), 0);
	assert_string_equal(folder->path, *state);
	assert_int_equal(folder->scanned_at_us, 4711);
	assert_true(folder->device == st.st_dev && folder->inode == st.st_ino);
	assert_int_equal(folder->bytes, 19);
	assert_int_not_equal(folder->stamp, 0);
	assert_int_equal(folder->n_migrations, 2);
	assert_null(folder_blocker(folder));
	assert_int_equal(folder->refs, 1);
	folder_unref(folder);
}

/* A run keeps its folder although the daemon has read another meanwhile. */
static void
test_references(void **state)
{
	struct folder *folder = load(*state);

	assert_ptr_equal(folder_ref(folder), folder);
	assert_int_equal(folder->refs, 2);
	folder_unref(folder);
	assert_int_equal(folder->refs, 1);
	assert_string_equal(folder->path, *state);
	folder_unref(folder);
	folder_unref(NULL);
}

static void
check_blocker(
    struct folder *folder, enum category category, const char *says, enum exit_code code)
{
	const struct folder_problem *problem = folder_blocker(folder);

	assert_non_null(problem);
	assert_int_equal(folder->n_migrations, 0);
	assert_int_equal(folder->n_problems, 1);
	assert_int_equal(problem->state, MIGRATION_INVALID);
	assert_int_equal(problem->err.category, category);
	assert_non_null(strstr(problem->err.text, says));
	assert_int_equal(err_exit_code(&problem->err), code);
	assert_int_equal(err_http_status(&problem->err), 422);
	assert_string_not_equal(problem->err.hint, "");
	folder_unref(folder);
}

static void
test_folders_that_cannot_be_used(void **state)
{
	char path[1024];
	char says[1100];

	tempdir_path(path, *state, "nowhere");
	snprintf(says, sizeof(says), "migrations folder %s not found", path);
	check_blocker(load(path), CAT_RESOURCE_NOT_FOUND, says, EXIT_FILES);

	tempdir_text(*state, "file", "");
	check_blocker(load(tempdir_path(path, *state, "file")), CAT_RESOURCE_NOT_FOUND,
	    "not found", EXIT_FILES);

	tempdir_link(*state, "loop", "loop");
	check_blocker(load(tempdir_path(path, *state, "loop")), CAT_SECURITY_VIOLATION,
	    "loop", EXIT_FILES);

	snprintf(says, sizeof(says), "no migrations found in %s", (const char *)*state);
	check_blocker(load(*state), CAT_RESOURCE_NOT_FOUND, says, EXIT_FILES);

	tempdir_text(*state, "first.sql", "");
	check_blocker(load(*state), CAT_RESOURCE_NOT_FOUND, says, EXIT_FILES);

	check_blocker(folder_load(*state, "flywheel", NULL, 0), CAT_CONFIGURATION,
	    "there is no layout \"flywheel\"", EXIT_CONFIGURATION);

	tempdir_text(*state, "1_a.up.sql", "");
	check_blocker(load(*state), CAT_CONFIGURATION,
	    "the folder may be golang-migrate's or sqlx's", EXIT_CONFIGURATION);
}

/* Named, and it finds nothing, while there are files: no "nothing to apply" then. */
static void
test_another_layout_was_named(void **state)
{
	struct folder *folder = folder_load(*state, "flyway", NULL, 0);
	char says[1100];

	assert_null(folder_blocker(folder)); /* empty, to be filled later */
	folder_unref(folder);

	tempdir_text(*state, "v1__a.sql", "SELECT 1;");
	snprintf(says, sizeof(says), "no migrations found in %s with layout = flyway",
	    (const char *)*state);
	folder = folder_load(*state, "flyway", NULL, 0);
	assert_string_equal(folder_blocker(folder)->err.text, says);
	assert_string_equal(folder_blocker(folder)->err.hint,
	    "v1__a.sql is passed over; a name is as in V1__description.sql");
	assert_int_equal(err_exit_code(&folder_blocker(folder)->err), EXIT_FILES);
	folder_unref(folder);

	tempdir_text(*state, "0001_a.sql", "SELECT 1;");
	folder = folder_load(*state, "flyway", NULL, 0);
	assert_string_equal(folder_blocker(folder)->err.hint,
	    "its files look like those of sequence: set layout = sequence, or auto");
	folder_unref(folder);
	folder = folder_load(*state, "dated", NULL, 0); /* beside: it goes by no looks */
	assert_null(folder_blocker(folder));
	folder_unref(folder);

	tempdir_text(*state, "1_a.up.sql", "SELECT 1;");
	folder = folder_load(*state, "flyway", NULL, 0);
	assert_string_equal(folder_blocker(folder)->err.hint,
	    "its files look like those of golang-migrate or sqlx: set layout = "
	    "golang-migrate or sqlx");
	folder_unref(folder);

	/* a list that lists nothing is a list */
	tempdir_text(*state, "manifest.txt", "");
	folder = folder_load(*state, "manifest", NULL, 0);
	assert_null(folder_blocker(folder));
	folder_unref(folder);
}

/* As a user who owns nothing here, for root may read all. */
static struct folder *
load_as_another(const char *path)
{
	uid_t uid = geteuid();
	struct folder *folder = NULL;

	if (uid == 0)
		assert_int_equal(seteuid(65534), 0);
	folder = load(path);
	if (uid == 0)
		assert_int_equal(seteuid(0), 0);
	return folder;
}

static void
test_a_folder_without_rights(void **state)
{
	char path[1024];
	struct folder *folder = NULL;

	assert_int_equal(mkdir(tempdir_path(path, *state, "closed"), 0), 0);
	assert_int_equal(chmod(*state, 0755), 0);
	folder = load_as_another(path);
	assert_non_null(strstr(folder_blocker(folder)->err.hint, "user"));
	check_blocker(folder, CAT_PERMISSION_DENIED, path, EXIT_FILES);
}

static void
test_a_file_without_rights(void **state)
{
	char path[1024];
	struct folder *folder = NULL;

	tempdir_text(*state, "0001_a.sql", "SELECT 1;");
	assert_int_equal(chmod(tempdir_path(path, *state, "0001_a.sql"), 0), 0);
	assert_int_equal(chmod(*state, 0755), 0);
	folder = load_as_another(*state);
	assert_int_equal(folder->n_problems, 1);
	assert_int_equal(folder->problems[0].err.category, CAT_PERMISSION_DENIED);
	assert_string_equal(folder->problems[0].err.file, "0001_a.sql");
	assert_non_null(strstr(folder->problems[0].err.hint, "chmod a+r"));
	folder_unref(folder);
}

static void
test_too_many_files(void **state)
{
	char name[32];
	char path[1024];

	for (unsigned i = 0; i < BOUND_FOLDER_FILES + 2; i++) {
		snprintf(name, sizeof(name), "%u", i);
		assert_int_equal(
		    mknod(tempdir_path(path, *state, name), S_IFREG | 0600, 0), 0);
	}
	check_blocker(
	    load(*state), CAT_CONFIGURATION, "more than 20000 entries", EXIT_FILES);
}

static void
test_find(void **state)
{
	struct folder *folder = NULL;
	static const struct {
		const char *name;
		const char *id; /* NULL: none */
	} rows[] = {
		{ "0001_a", "0001_a" },
		{ "0001_a.sql", "0001_a" },
		{ "0001", "0001_a" },
		{ "0002_b", "0002_b" },
		/* an id before a file name */
		{ "0003_c.sql", "0003_c.sql" },
		{ "4", NULL },
		{ "", NULL },
	};

	tempdir_text(*state, "0001_a.sql", "");
	tempdir_text(*state, "0002_b.sql", "");
	tempdir_text(*state, "0003_c.sql", "");
	tempdir_text(*state, "0004_c.sql.sql", "");
	folder = load(*state);
	folder->migrations[3]->id = "0003_c.sql";
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		const struct migration *m = folder_find(folder, rows[i].name);

		assert_int_equal(m != NULL, rows[i].id != NULL);
		if (m)
			assert_string_equal(m->id, rows[i].id);
	}
	folder_unref(folder);
}

static void
check_equal(const char *dir, const struct folder *before, bool equal)
{
	struct folder *now = load(dir);

	assert_int_equal(folder_equal(before, now), equal);
	assert_int_equal(folder_equal(now, before), equal);
	folder_unref(now);
}

static void
test_equal(void **state)
{
	char path[1024];
	char other[1024];
	struct folder *before = NULL;
	struct folder *named = NULL;

	tempdir_text(*state, "0001_a.sql", "SELECT 1;");
	before = load(*state);
	check_equal(*state, before, true);

	tempdir_text(*state, "0001_a.sql", "SELECT 1;"); /* written again, the same */
	check_equal(*state, before, true);
	tempdir_text(*state, "README", "");
	check_equal(*state, before, true);

	tempdir_text(*state, "0001_a.sql", "SELECT 2;");
	check_equal(*state, before, false);
	tempdir_text(*state, "0001_a.sql", "SELECT 1;");
	tempdir_text(*state, "0002_b.sql", "");
	check_equal(*state, before, false);
	unlink(tempdir_path(path, *state, "0002_b.sql"));

	rename(tempdir_path(path, *state, "0001_a.sql"),
	    tempdir_path(other, *state, "0001_b.sql"));
	check_equal(*state, before, false);
	rename(tempdir_path(path, *state, "0001_b.sql"),
	    tempdir_path(other, *state, "0001_a.sql"));
	check_equal(*state, before, true);
	tempdir_text(*state, "0001_a.down.sql", "SELECT 3;");
	check_equal(*state, before, false);
	folder_unref(before);

	/* ways back */
	before = load(*state);
	check_equal(*state, before, true);
	tempdir_text(*state, "0001_a.down.sql", "SELECT 4;");
	check_equal(*state, before, false);
	folder_unref(before);

	/* other layouts, other paths */
	before = folder_load(*state, "drizzle", NULL, 0);
	check_equal(*state, before, false);
	folder_unref(before);
	before = folder_load(*state, NULL, NULL, 0);
	snprintf(path, sizeof(path), "%s/.", (const char *)*state);
	named = load(path);
	assert_false(folder_equal(before, named));
	folder_unref(named);
	folder_unref(before);
}

/* The same migrations with another `when` are another folder: the rows would be others. */
static void
test_equal_looks_at_versions_and_problems(void **state)
{
	struct folder *before = NULL;
	struct folder *now = NULL;

	tempdir_text(*state, "0001_a.sql", "SELECT \xFF");
	tempdir_text(*state, "stray.sql", "");
	before = load(*state);
	now = load(*state);
	assert_int_equal(before->n_problems, 2);
	assert_true(folder_equal(before, now));

	now->migrations[0]->version = "2";
	assert_false(folder_equal(before, now));
	now->migrations[0]->version = before->migrations[0]->version;

	now->migrations[0]->listing.line++;
	assert_false(folder_equal(before, now));
	now->migrations[0]->listing.line--;

	now->migrations[0]->problem->line++;
	assert_false(folder_equal(before, now));
	now->migrations[0]->problem->line--;

	now->problems[0].blocks = !now->problems[0].blocks;
	assert_false(folder_equal(before, now));
	now->problems[0].blocks = !now->problems[0].blocks;

	now->n_problems_dropped++;
	assert_false(folder_equal(before, now));
	now->n_problems_dropped--;

	now->unregistered[0][0] = 'S';
	assert_false(folder_equal(before, now));
	now->n_unregistered--;
	assert_false(folder_equal(before, now));
	now->n_unregistered++;
	now->unregistered[0][0] = 's';
	assert_true(folder_equal(before, now));

	folder_unref(before);
	folder_unref(now);
}

static void
check_settled(const char *dir, struct folder **before, bool settled)
{
	struct folder *now = load(dir);

	assert_int_equal(folder_is_settled(*before, now), settled);
	folder_unref(*before);
	*before = now;
}

static void
test_settled(void **state)
{
	struct folder *before = load(*state);

	check_settled(*state, &before, true);
	tempdir_text(*state, "0001_a.sql", "SELECT 1;");
	age(*state, "0001_a.sql", 1000);
	check_settled(*state, &before, false);
	check_settled(*state, &before, true);

	tempdir_text(*state, "0001_a.sql", "SELECT 1; SELECT"); /* grows */
	age(*state, "0001_a.sql", 1000);
	check_settled(*state, &before, false);
	check_settled(*state, &before, true);

	age(*state, "0001_a.sql", 1001); /* written in place */
	check_settled(*state, &before, false);
	check_settled(*state, &before, true);

	tempdir_text(*state, "meta/_journal.json", "{");
	check_settled(*state, &before, false);
	check_settled(*state, &before, true);
	age(*state, "meta/_journal.json", 1002);
	check_settled(*state, &before, false);
	check_settled(*state, &before, true);
	folder_unref(before);
}

static void
test_problems_are_bounded_and_blockers_are_kept(void **state)
{
	struct folder *folder = load(*state);
	struct err note = { 0 };
	struct err bad = { 0 };

	folder->n_problems = 0;
	err_set(&note, CAT_CONFIGURATION, "a note");
	err_set(&bad, CAT_CONFIGURATION, "bad");
	for (unsigned i = 0; i < BOUND_FOLDER_PROBLEMS + 5; i++)
		folder_add_problem(folder, MIGRATION_UNREGISTERED, false, &note);
	assert_int_equal(folder->n_problems, BOUND_FOLDER_PROBLEMS);
	assert_int_equal(folder->n_problems_dropped, 5);
	assert_null(folder_blocker(folder));

	folder_add_problem(folder, MIGRATION_INVALID, true, &bad);
	assert_int_equal(folder->n_problems, BOUND_FOLDER_PROBLEMS);
	assert_int_equal(folder->n_problems_dropped, 6);
	assert_string_equal(folder_blocker(folder)->err.text, "bad");
	folder_add_problem(folder, MIGRATION_INVALID, true, &bad);
	assert_int_equal(folder->n_problems, BOUND_FOLDER_PROBLEMS);
	assert_int_equal(folder->n_problems_dropped, 7);
	folder_unref(folder);
}

static void
test_a_problem_keeps_its_own_words(void **state)
{
	struct folder *folder = load(*state);
	struct err own = { .http_status = 409, .exit_code = EXIT_REFUSED };

	err_set(&own, CAT_SQL_ERROR, "x");
	err_hint(&own, "do this");
	folder_add_problem(folder, MIGRATION_INVALID, false, &own);
	assert_string_equal(folder->problems[1].err.hint, "do this");
	assert_int_equal(err_http_status(&folder->problems[1].err), 409);
	assert_int_equal(err_exit_code(&folder->problems[1].err), EXIT_REFUSED);
	folder_unref(folder);
}

static void
test_a_bad_file_is_a_note_with_its_place(void **state)
{
	struct folder *folder = NULL;

	tempdir_text(*state, "0001_a.sql", "SELECT 1;\n\xFF");
	tempdir_text(*state, "0002_b.sql", "SELECT 1;");
	folder = load(*state);
	assert_int_equal(folder->n_migrations, 2);
	assert_int_equal(folder->n_problems, 1);
	assert_null(folder_blocker(folder));
	assert_int_equal(folder->problems[0].state, MIGRATION_INVALID);
	assert_string_equal(folder->problems[0].err.migration, "0001_a");
	assert_string_equal(folder->problems[0].err.file, "0001_a.sql");
	assert_int_equal(folder->problems[0].err.line, 2);
	assert_int_equal(folder->migrations[0]->problem->category, CAT_SQL_SYNTAX_ERROR);
	assert_int_equal(err_http_status(folder->migrations[0]->problem), 422);
	assert_int_equal(strlen(folder->migrations[0]->checksum), 64);
	folder_unref(folder);
}

static void
test_a_file_that_is_too_large(void **state)
{
	char path[1024];
	struct folder *folder = NULL;

	tempdir_text(*state, "0001_a.sql", "");
	assert_int_equal(truncate(tempdir_path(path, *state, "0001_a.sql"),
			     (off_t)BOUND_FILE_BYTES + 1),
	    0);
	folder = load(*state);
	assert_int_equal(folder->migrations[0]->problem->category, CAT_CONFIGURATION);
	assert_int_equal(err_exit_code(folder->migrations[0]->problem), EXIT_FILES);
	assert_string_equal(folder->problems[0].err.file, "0001_a.sql");
	assert_null(folder_blocker(folder));
	folder_unref(folder);
}

static void
test_a_folder_that_is_too_large(void **state)
{
	struct folder *folder = NULL;
	struct file_dir *dir = NULL;
	struct migration *m = NULL;
	struct err err = { 0 };

	tempdir_text(*state, "0001_a.sql", "SELECT 1;");
	folder = load(*state);
	assert_int_equal(file_dir_open(folder, *state, &dir, &err), 0);
	folder->bytes = BOUND_FOLDER_BYTES;
	m = folder_add(folder, dir, "0002_b", "0001_a.sql", NULL);
	assert_string_equal(
	    m->problem->text, "not read: the folder holds more than 512 MiB");
	assert_ptr_equal(folder_blocker(folder), &folder->problems[0]);
	folder_unref(folder);
}

static void
test_ids_are_checked_for_every_layout(void **state)
{
	struct folder *folder = folder_load(*state, "sequence", NULL, 0);
	struct file_dir *dir = NULL;
	struct migration *m = NULL;
	struct err err = { 0 };

	assert_int_equal(file_dir_open(folder, *state, &dir, &err), 0);
	m = folder_add(folder, dir, "../x", "../x.sql", NULL);
	assert_int_equal(m->problem->category, CAT_SECURITY_VIOLATION);
	assert_string_equal(m->checksum, "");
	assert_int_equal(folder_blocker(folder)->err.category, CAT_SECURITY_VIOLATION);
	folder_unref(folder);
}

/* All that a folder holds hangs from it, and a text is kept once. */
static void
test_a_text_is_kept_once(void **state)
{
	enum {
		LEN = 1 << 20
	};
	char *text = calloc(1, LEN + 1);
	struct folder *folder = NULL;

	memset(text, ' ', LEN);
	tempdir_text(*state, "0001_a.sql", text);
	free(text);
	folder = load(*state);
	assert_int_equal(folder->bytes, LEN);
	assert_in_range(talloc_total_size(folder), LEN, LEN + (32 << 10));
	folder_unref(folder);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		TEMPDIR_TEST(test_load),
		TEMPDIR_TEST(test_references),
		TEMPDIR_TEST(test_folders_that_cannot_be_used),
		TEMPDIR_TEST(test_another_layout_was_named),
		TEMPDIR_TEST(test_a_folder_without_rights),
		TEMPDIR_TEST(test_a_file_without_rights),
		TEMPDIR_TEST(test_too_many_files),
		TEMPDIR_TEST(test_find),
		TEMPDIR_TEST(test_equal),
		TEMPDIR_TEST(test_equal_looks_at_versions_and_problems),
		TEMPDIR_TEST(test_settled),
		TEMPDIR_TEST(test_problems_are_bounded_and_blockers_are_kept),
		TEMPDIR_TEST(test_a_problem_keeps_its_own_words),
		TEMPDIR_TEST(test_a_bad_file_is_a_note_with_its_place),
		TEMPDIR_TEST(test_a_file_that_is_too_large),
		TEMPDIR_TEST(test_a_folder_that_is_too_large),
		TEMPDIR_TEST(test_ids_are_checked_for_every_layout),
		TEMPDIR_TEST(test_a_text_is_kept_once),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
