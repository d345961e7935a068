/* SPDX-License-Identifier: PostgreSQL */
#include "core/folder.h"

#include <string.h>

#include "base/bounds.h"
#include "base/file.h"
#include "base/mem.h"
#include "base/names.h"

#define MEBIBYTE (1u << 20)

/* ---- what layouts add ---- */

/* Room for one more than the `n` elements there are. Full at each power of two, so that no
 * capacity need be kept. */
#define MAKE_ROOM(folder, array, type, n)                                               \
	do {                                                                            \
		if (((n) & ((n)-1)) == 0)                                               \
			(array) = mem_grow((folder), (array), type, (n) ? 2 * (n) : 1); \
	} while (0)

void
folder_add_unregistered(struct folder *folder, const char *file)
{
	MAKE_ROOM(folder, folder->unregistered, char *, folder->n_unregistered);
	folder->unregistered[folder->n_unregistered++] = mem_strdup(folder, file);
}

/*
 * What holds for every problem of a folder. 422: the request was right and the folder is not, so
 * curl --retry must not come again. The files are what is wrong, but where an option is.
 */
static void
complete_problem(struct err *err)
{
	if (!err->http_status)
		err->http_status = 422;
	if (!err->exit_code)
		err->exit_code = EXIT_FILES;
	err_hint(err, "mend it; the folder is read again by itself");
}

void
folder_add_problem(
    struct folder *folder, enum migration_state state, bool blocks, const struct err *err)
{
	struct folder_problem *problem = NULL;

	if (folder->n_problems == BOUND_FOLDER_PROBLEMS) {
		folder->n_problems_dropped++;
		/* what blocks must not get lost behind notes */
		if (!blocks || folder_blocker(folder))
			return;
		folder->n_problems--;
	}
	MAKE_ROOM(folder, folder->problems, struct folder_problem, folder->n_problems);
	problem = &folder->problems[folder->n_problems++];
	*problem =
	    (struct folder_problem){ .state = state, .blocks = blocks, .err = *err };
	complete_problem(&problem->err);
}

/* The file's text into `m`. */
static int
read_text(struct folder *folder, struct file_dir *dir, struct migration *m,
    const char *marker, struct err *err)
{
	void *scratch = mem_context(NULL, "migration file");
	char *data = NULL;
	size_t len = 0;
	int rc = -1;

	if (folder->bytes >= BOUND_FOLDER_BYTES) {
		err_set(err, CAT_CONFIGURATION,
		    "not read: the folder holds more than %u MiB",
		    BOUND_FOLDER_BYTES / MEBIBYTE);
		goto out;
	}
	if (file_dir_read(dir, scratch, m->file, BOUND_FILE_BYTES, &data, &len, err) < 0)
		goto out;
	folder->bytes += len;
	migration_set_text(m, m, data, len, marker);
	rc = 0;
out:
	talloc_free(scratch);
	return rc;
}

static void
note_problem(struct folder *folder, struct migration *m)
{
	struct err *err = m->problem;
	bool missing = err->category == CAT_RESOURCE_NOT_FOUND;
	bool denied = err->category == CAT_PERMISSION_DENIED;
	bool blocks = err->category == CAT_SECURITY_VIOLATION ||
	    folder->bytes >= BOUND_FOLDER_BYTES;

	if (denied)
		err_hint(err, "let the daemon's user read it: chmod a+r");
	if (missing)
		err_hint(err,
		    "put the file back, or take the migration out of the folder's list");
	err_where(err, m->file, 0);
	memcpy(err->migration, m->id, strnlen(m->id, sizeof(err->migration) - 1));
	complete_problem(err);
	folder_add_problem(
	    folder, missing ? MIGRATION_MISSING : MIGRATION_INVALID, blocks, err);
}

struct migration *
folder_add(struct folder *folder, struct file_dir *dir, const char *id, const char *file,
    const char *marker)
{
	struct migration *m = mem_zero(folder, struct migration);
	struct err err = { 0 };

	m->id = mem_strdup(m, id);
	m->file = mem_strdup(m, file);
	m->version = m->id;
	m->name = m->id;
	m->text = "";
	m->position = folder->n_migrations;
	MAKE_ROOM(folder, folder->migrations, struct migration *, folder->n_migrations);
	folder->migrations[folder->n_migrations++] = m;

	if (migration_check_id(id, &err) < 0 ||
	    read_text(folder, dir, m, marker, &err) < 0)
		migration_set_problem(m, m, &err);
	if (m->problem)
		note_problem(folder, m);
	return m;
}

void
folder_refuse(struct folder *folder, struct migration *m, const struct err *err)
{
	if (m->problem)
		return;
	migration_set_problem(m, m, err);
	note_problem(folder, m);
}

void
folder_add_down(
    struct folder *folder, struct file_dir *dir, struct migration *m, const char *file)
{
	struct migration *down = migration_add_down(m, file);
	struct err err = { 0 };

	if (read_text(folder, dir, down, NULL, &err) < 0)
		migration_set_problem(down, down, &err);
	if (down->problem)
		note_problem(folder, down);
}

/* ---- reading ---- */

static int
open_folder(
    struct folder *folder, const void *scratch, struct file_dir **dir, struct err *err)
{
	struct err cause = { 0 };

	if (file_dir_open(scratch, folder->path, dir, &cause) == 0) {
		folder->device = (*dir)->device;
		folder->inode = (*dir)->inode;
		return 0;
	}
	if (cause.category == CAT_RESOURCE_NOT_FOUND) {
		err_set(err, CAT_RESOURCE_NOT_FOUND, "migrations folder %s not found",
		    folder->path);
		memcpy(err->detail, cause.text, sizeof(err->detail));
		err_hint(
		    err, "create it, or name another one; it is picked up by itself");
		return -1;
	}
	if (cause.category == CAT_PERMISSION_DENIED)
		err_hint(&cause,
		    "let the daemon's user read it and enter the folders above it");
	*err = cause;
	return -1;
}

static const struct layout *
choose_layout(const struct folder *folder, struct file_dir *dir,
    const struct file_list *root, const char *name, const void *scratch, struct err *err)
{
	const struct layout *layout = NULL;

	if (name && strcmp(name, "auto") != 0) {
		layout = layout_find(name);
		if (!layout) {
			err_set(
			    err, CAT_CONFIGURATION, "there is no layout \"%s\"", name);
			err->exit_code = EXIT_CONFIGURATION;
			err_hint(err, "the layouts are %s, or auto",
			    names_list(scratch, layout_name));
		}
		return layout;
	}
	layout = folder->manifest ? &layout_manifest : layout_detect(dir, root);
	if (layout && layout->twin) {
		err_set(err, CAT_CONFIGURATION,
		    "the folder may be %s's or %s's, whose files have the same names",
		    layout->name, layout->twin);
		err->exit_code = EXIT_CONFIGURATION;
		err_hint(
		    err, "set layout = %s or layout = %s", layout->name, layout->twin);
		return NULL;
	}
	if (!layout) {
		err_set(err, CAT_RESOURCE_NOT_FOUND, "no migrations found in %s",
		    folder->path);
		err_hint(err,
		    "known layouts: %s; "
		    "an empty folder that is to be filled later needs its layout named",
		    layout_samples(scratch));
	}
	return layout;
}

/*
 * A layout that was named finds nothing where files lie: one of another layout, or named otherwise.
 * Then "nothing to apply" would be the answer to a deployment that was to apply something. An
 * empty folder may be filled later.
 */
static int
refuse_other_layout(const struct folder *folder, struct file_dir *dir,
    const struct file_list *root, struct err *err)
{
	const struct layout *other = layout_detect(dir, root);

	/* a list that is there and lists nothing is somebody's word */
	if (layout_is_beside(folder->layout) ||
	    layout_looks_so(folder->layout, dir, root) ||
	    (other == NULL && folder->n_unregistered == 0))
		return 0;
	err_set(err, CAT_RESOURCE_NOT_FOUND, "no migrations found in %s with layout = %s",
	    folder->path, folder->layout->name);
	if (other != NULL)
		err_hint(err, "its files look like those of %s%s%s: set layout = %s%s%s",
		    other->name, other->twin ? " or " : "",
		    other->twin ? other->twin : "", other->name,
		    other->twin ? " or " : ", or auto", other->twin ? other->twin : "");
	else
		err_hint(err, "%s is passed over; a name is as in %s",
		    folder->unregistered[0], folder->layout->sample);
	return -1;
}

static int
read_folder(
    struct folder *folder, const char *layout, const void *scratch, struct err *err)
{
	struct file_dir *dir = NULL;
	struct file_list root = { 0 };
	int rc = -1;

	if (open_folder(folder, scratch, &dir, err) < 0)
		return -1;
	if (file_dir_list(dir, scratch, "", &root, err) < 0)
		return -1;
	folder->layout = choose_layout(folder, dir, &root, layout, scratch, err);
	if (!folder->layout)
		return -1;
	rc = folder->layout->load(folder, dir, &root, err);
	folder->stamp = dir->stamp;
	if (rc == 0 && folder->n_migrations == 0 && folder_blocker(folder) == NULL)
		rc = refuse_other_layout(folder, dir, &root, err);
	return rc;
}

struct folder *
folder_load(const char *path, const char *layout, const char *manifest, int64_t now_us)
{
	struct folder *folder = mem_zero(NULL, struct folder);
	void *scratch = mem_context(NULL, "folder scan");
	struct err err = { 0 };

	folder->refs = 1;
	folder->path = mem_strdup(folder, path);
	folder->manifest = mem_strdup(folder, manifest);
	folder->scanned_at_us = now_us;
	if (read_folder(folder, layout, scratch, &err) < 0)
		folder_add_problem(folder, MIGRATION_INVALID, true, &err);
	talloc_free(scratch);
	return folder;
}

struct folder *
folder_ref(struct folder *folder)
{
	folder->refs++;
	return folder;
}

void
folder_unref(struct folder *folder)
{
	if (folder && --folder->refs == 0)
		talloc_free(folder);
}

/* ---- questions ---- */

const struct migration *
folder_find(const struct folder *folder, const char *name)
{
	const struct migration *by_file = NULL;
	const struct migration *by_version = NULL;

	for (size_t i = 0; i < folder->n_migrations; i++) {
		const struct migration *m = folder->migrations[i];

		if (strcmp(m->id, name) == 0)
			return m;
		if (!by_file && strcmp(m->file, name) == 0)
			by_file = m;
		if (!by_version && strcmp(m->version, name) == 0)
			by_version = m;
	}
	return by_file ? by_file : by_version;
}

static bool
err_equal(const struct err *a, const struct err *b)
{
	return a->category == b->category && a->line == b->line &&
	    strcmp(a->text, b->text) == 0 && strcmp(a->file, b->file) == 0;
}

static bool
problem_equal(const struct err *a, const struct err *b)
{
	return a && b ? err_equal(a, b) : a == b;
}

/* Findings are reported with the line of the list: one that moved is another folder. */
static bool
listing_equal(const struct listing *a, const struct listing *b)
{
	return a->line == b->line && a->has_index == b->has_index && a->index == b->index;
}

/*
 * Equal checksums are equal texts: of whole files, so that a way back in the same file is equal,
 * too.
 */
static bool
migration_equal(const struct migration *a, const struct migration *b)
{
	if (!a || !b)
		return a == b;
	return strcmp(a->id, b->id) == 0 && strcmp(a->version, b->version) == 0 &&
	    strcmp(a->checksum, b->checksum) == 0 &&
	    listing_equal(&a->listing, &b->listing) &&
	    problem_equal(a->problem, b->problem) && migration_equal(a->down, b->down);
}

static bool
migrations_equal(const struct folder *a, const struct folder *b)
{
	if (a->n_migrations != b->n_migrations)
		return false;
	for (size_t i = 0; i < a->n_migrations; i++) {
		if (!migration_equal(a->migrations[i], b->migrations[i]))
			return false;
	}
	return true;
}

static bool
problems_equal(const struct folder *a, const struct folder *b)
{
	if (a->n_problems != b->n_problems ||
	    a->n_problems_dropped != b->n_problems_dropped)
		return false;
	for (size_t i = 0; i < a->n_problems; i++) {
		const struct folder_problem *x = &a->problems[i];
		const struct folder_problem *y = &b->problems[i];

		if (x->state != y->state || x->blocks != y->blocks ||
		    !err_equal(&x->err, &y->err))
			return false;
	}
	return true;
}

static bool
unregistered_equal(const struct folder *a, const struct folder *b)
{
	if (a->n_unregistered != b->n_unregistered)
		return false;
	for (size_t i = 0; i < a->n_unregistered; i++) {
		if (strcmp(a->unregistered[i], b->unregistered[i]) != 0)
			return false;
	}
	return true;
}

bool
folder_equal(const struct folder *a, const struct folder *b)
{
	return strcmp(a->path, b->path) == 0 && a->layout == b->layout &&
	    migrations_equal(a, b) && problems_equal(a, b) && unregistered_equal(a, b);
}

bool
folder_is_settled(const struct folder *before, const struct folder *now)
{
	return before->stamp == now->stamp && before->bytes == now->bytes &&
	    before->n_migrations == now->n_migrations;
}

const struct folder_problem *
folder_blocker(const struct folder *folder)
{
	for (size_t i = 0; i < folder->n_problems; i++) {
		if (folder->problems[i].blocks)
			return &folder->problems[i];
	}
	return NULL;
}
