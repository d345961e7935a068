/* SPDX-License-Identifier: PostgreSQL */
#include "core/author.h"

#include <string.h>

#include "base/bounds.h"
#include "base/file_write.h"
#include "base/mem.h"
#include "base/text.h"
#include "core/author_kind.h"
#include "core/author_name.h"
#include "core/rollback_comment.h"
#include "core/script.h"

/* As core/rollback_comment.h reads it. */
#define WAY_BACK                                              \
	"\n-- ============================================\n" \
	"-- ROLLBACK SQL (for manual rollback if needed)\n"   \
	"-- ============================================\n"

/* ---- texts ---- */

/* One line of a comment: what would end it is a blank. */
static void
add_line(struct text *out, const char *description)
{
	for (const char *p = description; *p != '\0'; p++)
		text_add_char(out, (unsigned char)*p < ' ' ? ' ' : *p);
	text_add_char(out, '\n');
}

static void
add_head(struct text *out, const char *number, const char *description, const char *day)
{
	text_addf(out, "-- Migration %s: ", number);
	add_line(out, description);
	text_addf(out, "-- Created: %s\n\n", day);
}

/* What does not fit leaves no text, and the file that it was made of may be removed then. */
static int
add_file(
    struct author_made *made, const char *path, const struct text *text, struct err *err)
{
	if (text_failed(text)) {
		err_set(err, CAT_CONFIGURATION, "%s would be longer than %zu bytes", path,
		    text->max);
		err_hint(err, "say it shorter, or divide the SQL between two migrations");
		return -1;
	}
	made->files = mem_zero(made, struct author_file);
	made->n_files = 1;
	made->files[0] =
	    (struct author_file){ .path = path, .text = text->data, .len = text->len };
	return 0;
}

/* ---- numbered folders ---- */

static bool
has_way_back(const void *ctx, const char *text, size_t len)
{
	struct migration *m = mem_zero(ctx, struct migration);
	bool has;

	m->id = m->version = m->name = m->file = "";
	migration_set_text(m, m, text, len, NULL);
	rollback_comment_read(m);
	has = m->down != NULL;
	talloc_free(m);
	return has;
}

static void
add_sql(struct text *out, const void *ctx, const char *sql, size_t len)
{
	text_add_bytes(out, sql, len);
	if (len > 0 && sql[len - 1] != '\n')
		text_add_char(out, '\n');
	if (!has_way_back(ctx, sql, len))
		text_add(out, WAY_BACK);
}

int
author_numbered(
    const struct author_request *request, struct author_made *made, struct err *err)
{
	struct author_style style = author_style_of(request->folder, 1);
	char *number = author_number(made, &style, request->now_us);
	const char *sql = request->sql;
	char *slug = NULL;
	struct text out;

	if (author_slug(made, request->description, style.separator, &slug, err) < 0)
		return -1;
	made->id = mem_printf(made, "%s%c%s", number, style.separator, slug);
	text_init(&out, made, BOUND_FILE_BYTES);
	if (sql == NULL || strncmp(sql, "-- Migration ", strlen("-- Migration ")) != 0)
		add_head(&out, number, request->description,
		    author_day(made, request->now_us));
	add_sql(&out, made, sql != NULL ? sql : "", request->len);
	if (add_file(made, mem_printf(made, "%s.sql", made->id), &out, err) < 0)
		return -1;
	made->advice = sql != NULL
	    ? "look it through; migrationctl --ephemeral apply tries it on a "
	      "database of its own"
	    : "write the SQL, and behind ROLLBACK SQL, as comments, what takes "
	      "it back";
	return 0;
}

/* ---- all folders ---- */

static int
check_folder(const struct folder *folder, struct err *err)
{
	const struct folder_problem *blocker = folder_blocker(folder);

	if (blocker != NULL) {
		*err = blocker->err;
		return -1;
	}
	if (folder->layout->author != NULL)
		return 0;
	err_set(err, CAT_CONFIGURATION, "no new migration is written into a %s folder",
	    folder->layout->name);
	err_hint(err, "its own tool knows the form: use that one");
	return -1;
}

/* What a run would refuse, said before it is in the folder. */
static int
check_sql(const struct author_request *request, struct err *err)
{
	const char *file = request->file;
	void *scratch = mem_context(NULL, "prepare");
	struct migration m = { .id = file, .version = file, .name = file, .file = file };
	const struct err *problem;

	migration_set_text(&m, scratch, request->sql, request->len, NULL);
	/* as PostgreSQL has it: no server is asked */
	problem =
	    m.problem != NULL ? m.problem : script_build(scratch, &m, NULL)->problem;
	if (problem != NULL)
		*err = *problem;
	talloc_free(scratch);
	return err_is_set(err) ? -1 : 0;
}

int
author_create(const void *ctx, const struct author_request *request,
    struct author_made **made, struct err *err)
{
	struct author_made *result = mem_zero(ctx, struct author_made);

	if ((request->sql != NULL && check_sql(request, err) < 0) ||
	    check_folder(request->folder, err) < 0 ||
	    request->folder->layout->author(request, result, err) < 0)
		return -1;
	*made = result;
	return 0;
}

int
author_new_data(const void *ctx, const char *description, int64_t now_us,
    struct author_made **made, struct err *err)
{
	struct author_made *result = mem_zero(ctx, struct author_made);
	const char *day = author_day(result, now_us);
	char *slug = NULL;
	struct text out;

	if (author_slug(result, description, '_', &slug, err) < 0)
		return -1;
	result->id = mem_printf(result, "%s_%s", day, slug);
	text_init(&out, result, BOUND_CONFIG_VALUE);
	text_add(&out, "-- Data migration: ");
	add_line(&out, description);
	text_add(&out,
	    "-- Runs once, after the schema. Write it so that it may run "
	    "again: it is\n"
	    "-- tried anew when it has failed.\n\n");
	if (add_file(result, mem_printf(result, "%s.sql", result->id), &out, err) < 0)
		return -1;
	result->advice =
	    "write the SQL; it runs once, behind the migrations of the schema";
	*made = result;
	return 0;
}

int
author_write(const char *path, const struct author_made *made, struct err *err)
{
	void *scratch = mem_context(NULL, "author");
	int rc = 0;

	for (size_t i = 0; i < made->n_files && rc == 0; i++) {
		const struct author_file *file = &made->files[i];
		const char *whole = mem_printf(scratch, "%s/%s", path, file->path);

		rc = file->replaces ? file_write_over(whole, file->text, file->len, err)
				    : file_write_new(whole, file->text, file->len, err);
	}
	talloc_free(scratch);
	return rc;
}
