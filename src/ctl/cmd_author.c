/* SPDX-License-Identifier: PostgreSQL */

/*
 * For authors: what these commands write is files, so they ask neither daemon nor
 * database.
 */

#include <errno.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/bounds.h"
#include "base/clock.h"
#include "base/file.h"
#include "base/mem.h"
#include "core/author.h"
#include "core/folder.h"
#include "ctl/ctl.h"

/* What the functions below share: freed as a whole. */
struct author {
	struct config *config;
	struct folder *folder;
	const char *path; /* the folder that is written into */
	struct author_made *made;
};

/* ---- telling ---- */

static void
print_document(const struct author *author)
{
	const struct author_made *made = author->made;
	json_t *files = json_array();
	json_t *document;

	for (size_t i = 0; i < made->n_files; i++)
		json_array_append_new(files, json_string(made->files[i].path));
	document = json_pack("{s:s, s:s, s:o, s:s}", "id", made->id, "folder",
	    author->path, "files", files, "advice", made->advice);
	json_dumpf(document, stdout, JSON_COMPACT);
	fputs("\n", stdout);
	json_decref(document);
}

static void
print_files(struct ctl *ctl, const struct author *author, bool is_dry)
{
	const struct author_made *made = author->made;
	struct paint out;

	ctl_paint(ctl, stdout, &out);
	for (size_t i = 0; i < made->n_files; i++) {
		bool is_new = !made->files[i].replaces;

		if (is_dry)
			paint_addf(&out, is_new ? "would write " : "would change ");
		else
			paint_addf(&out, is_new ? "wrote " : "changed ");
		paint_add(&out, INK_BOLD, author->path);
		paint_addf(&out, "/");
		paint_add(&out, INK_BOLD, made->files[i].path);
		paint_addf(&out, "\n");
	}
	paint_advice(&out, "next", made->advice);
	ctl_print(&out, stdout);
}

/* Write it, unless it is to be shown only, and tell. */
static int
finish(struct ctl *ctl, const struct author *author, struct err *err)
{
	bool is_dry = args_has(&ctl->args, "dry-run");

	if (!is_dry && author_write(author->path, author->made, err) < 0)
		return -1;
	if (ctl->is_json)
		print_document(author);
	else if (!ctl->is_quiet)
		print_files(ctl, author, is_dry);
	return 0;
}

/* ---- create, prepare ---- */

static int
drop_folder(struct author *author)
{
	folder_unref(author->folder);
	return 0;
}

/* The folder that the settings name. */
static int
load(struct ctl *ctl, struct author **out, struct err *err)
{
	struct author *author = mem_zero(ctl, struct author);

	talloc_set_destructor(author, drop_folder);
	*out = author;
	if (ctl_load_config(ctl, &author->config, err) < 0)
		return -1;
	author->path = config_phase_path(author->config, PHASE_SCHEMA);
	author->folder = config_load_folder(author->config, PHASE_SCHEMA);
	return 0;
}

/* In the folder as it is now. */
static int
make(struct ctl *ctl, struct author *author, struct author_request *request,
    struct err *err)
{
	request->folder = author->folder;
	request->now_us = clock_now_us();
	if (author_create(author, request, &author->made, err) < 0)
		return -1;
	return finish(ctl, author, err);
}

static int
create(struct ctl *ctl, struct err *err)
{
	struct author_request request = { .description = args_operand(&ctl->args, 0) };
	struct author *author = NULL;

	if (load(ctl, &author, err) < 0)
		return -1;
	return make(ctl, author, &request, err);
}

/* The name of a file without its folder and ".sql", for want of a description. */
static const char *
description_of(const void *ctx, const char *path)
{
	const char *slash = strrchr(path, '/');
	const char *name = slash ? slash + 1 : path;
	const char *end = strstr(name, ".sql");

	return mem_strndup(ctx, name, end ? (size_t)(end - name) : strlen(name));
}

/*
 * A migration that is prepared a second time would run a second time, and one that is moved is
 * recorded under a number that no file has any more.
 */
static int
refuse_migration(const struct author *author, const char *path, struct err *err)
{
	struct stat given, own;

	if (stat(path, &given) < 0)
		return 0; /* reading it tells */
	for (size_t i = 0; i < author->folder->n_migrations; i++) {
		const struct migration *m = author->folder->migrations[i];
		char *file = mem_printf(author, "%s/%s", author->path, m->file);

		if (stat(file, &own) < 0 || own.st_dev != given.st_dev ||
		    own.st_ino != given.st_ino)
			continue;
		err_set(
		    err, CAT_CONFIGURATION, "%s is migration %s already", path, m->id);
		err_hint(err,
		    "there is nothing to prepare: it is in the folder, and has its "
		    "number");
		return -1;
	}
	return 0;
}

static int
prepare(struct ctl *ctl, struct err *err)
{
	const char *path = args_operand(&ctl->args, 0);
	struct author_request request = { .description = args_operand(&ctl->args, 1),
		.file = path };
	bool moves = args_has(&ctl->args, "move") && !args_has(&ctl->args, "dry-run");
	struct author *author = NULL;
	char *text = NULL;

	if (load(ctl, &author, err) < 0 || refuse_migration(author, path, err) < 0 ||
	    file_read(author, path, BOUND_FILE_BYTES, &text, &request.len, err) < 0)
		return -1;
	request.sql = text;
	if (!request.description)
		request.description = description_of(author, path);
	if (make(ctl, author, &request, err) < 0)
		return -1;
	if (moves && unlink(path) < 0)
		return err_set_errno(err, CAT_CONFIGURATION, errno,
		    "it is written, but %s cannot be removed", path);
	return 0;
}

/* ---- new-data ---- */

static int
new_data(struct ctl *ctl, struct err *err)
{
	struct author *author = NULL;

	if (load(ctl, &author, err) < 0)
		return -1;
	author->path = config_phase_path(author->config, PHASE_DATA);
	if (!author->path) {
		err_set(err, CAT_CONFIGURATION, "no folder of data migrations is named");
		err_hint(err, "say --data DIR, or set data in the configuration");
		return -1;
	}
	if (author_new_data(author, args_operand(&ctl->args, 0), clock_now_us(),
		&author->made, err) < 0)
		return -1;
	return finish(ctl, author, err);
}

static int
run(struct ctl *ctl, int (*command)(struct ctl *ctl, struct err *err))
{
	struct err err = { 0 };

	return command(ctl, &err) < 0 ? ctl_print_error(ctl, &err) : EXIT_FINE;
}

int
ctl_run_create(struct ctl *ctl)
{
	return run(ctl, create);
}

int
ctl_run_prepare(struct ctl *ctl)
{
	return run(ctl, prepare);
}

int
ctl_run_new_data(struct ctl *ctl)
{
	return run(ctl, new_data);
}
