/* SPDX-License-Identifier: PostgreSQL */
#include <string.h>

#include "base/mem.h"
#include "core/layout_kind.h"

/*
 * dbmate 2: 20261120055812_users.sql with two sections (pkg/dbmate/migration.go):
 *
 *	-- migrate:up transaction:false
 *	CREATE INDEX CONCURRENTLY ...;
 *	-- migrate:down
 *	DROP INDEX ...;
 *
 * A file is one that begins with a digit and ends with .sql. dbmate runs them in the order of
 * their names; we in that of their numbers, and not at all where these differ.
 */

enum block {
	BLOCK_NONE,
	BLOCK_UP,
	BLOCK_DOWN
};

struct blocks {
	struct folder *folder;
	struct migration *migration;
	struct migration_span spans[BLOCK_DOWN + 1];
	bool has[BLOCK_DOWN + 1];
	bool no_transaction[BLOCK_DOWN + 1];
	enum block now;
};

static bool
is_space(char c)
{
	return c == ' ' || c == '\t' || c == '\r' || c == '\f' || c == '\v';
}

/* `words` is what stands behind the directive. */
static enum block
block_of(const struct layout_line *line, struct layout_line *words)
{
	static const char *const marks[] = {
		[BLOCK_UP] = "migrate:up",
		[BLOCK_DOWN] = "migrate:down",
	};
	const char *end = line->text + line->len;
	const char *p = line->text + 2;

	if (line->len < 2 || strncmp(line->text, "--", 2) != 0)
		return BLOCK_NONE;
	while (p < end && is_space(*p))
		p++;
	for (enum block block = BLOCK_UP; block <= BLOCK_DOWN; block++) {
		size_t len = strlen(marks[block]);

		if ((size_t)(end - p) < len || strncmp(p, marks[block], len) != 0 ||
		    ((size_t)(end - p) > len && !is_space(p[len])))
			continue;
		words->text = p + len;
		words->len = (size_t)(end - words->text);
		return block;
	}
	return BLOCK_NONE;
}

/* Of words between white space the last "transaction:..." counts, as in dbmate. */
static bool
asks_for_no_transaction(const struct layout_line *words)
{
	static const char key[] = "transaction:";
	const char *end = words->text + words->len;
	bool none = false;

	for (const char *p = words->text; p < end;) {
		const char *word = p;

		while (p < end && !is_space(*p))
			p++;
		if ((size_t)(p - word) > strlen(key) &&
		    strncmp(word, key, strlen(key)) == 0) {
			word += strlen(key);
			none = p - word == 5 && strncmp(word, "false", 5) == 0;
		}
		while (p < end && is_space(*p))
			p++;
	}
	return none;
}

static bool
is_up(const struct layout_line *line)
{
	struct layout_line words;

	return block_of(line, &words) == BLOCK_UP;
}

static bool
dbmate_detect(struct file_dir *dir, const struct file_list *root)
{
	return layout_first_has(dir, root, is_up);
}

/* ---- blocks ---- */

static void
begin_block(struct blocks *b, enum block block, const struct layout_line *line,
    const struct layout_line *words)
{
	if (b->has[block] || (block == BLOCK_DOWN && !b->has[BLOCK_UP]))
		layout_refuse_migration(b->folder, b->migration, line->number,
		    "one \"-- migrate:up\" comes first, then one \"-- migrate:down\"; make "
		    "several files of it",
		    "%s \"-- migrate:%s\"",
		    b->has[block] ? "a second" : "no \"-- migrate:up\" before",
		    block == BLOCK_UP ? "up" : "down");
	b->spans[b->now].to = line->from;
	b->has[block] = true;
	b->spans[block] = (struct migration_span){ line->to, b->migration->text_len };
	b->no_transaction[block] = asks_for_no_transaction(words);
	b->now = block;
}

/* In front of the first block there may be comments and white space alone. */
static void
take_text(struct blocks *b, const struct layout_line *line)
{
	const char *p = line->text;
	const char *end = line->text + line->len;

	while (p < end && is_space(*p))
		p++;
	if (b->now != BLOCK_NONE || p == end ||
	    (end - p >= 2 && strncmp(p, "--", 2) == 0))
		return;
	layout_refuse_migration(b->folder, b->migration, line->number,
	    "put the line \"-- migrate:up\" before the first statement",
	    "SQL before \"-- migrate:up\"");
}

static void
cut(struct folder *folder, struct migration *m)
{
	struct blocks b = { .folder = folder, .migration = m };
	struct layout_line line = { 0 }, words = { 0 };

	if (m->problem)
		return;
	while (layout_next_line(m->text, m->text_len, &line)) {
		enum block block = block_of(&line, &words);

		if (block == BLOCK_NONE)
			take_text(&b, &line);
		else
			begin_block(&b, block, &line, &words);
	}
	if (!b.has[BLOCK_UP])
		layout_refuse_migration(folder, m, 0,
		    "dbmate refuses the file, too: mend it",
		    "there is no line \"-- migrate:up\"");
	if (m->problem)
		return;
	if (b.has[BLOCK_DOWN]) {
		struct migration *down = migration_add_down(m, NULL);

		down->no_transaction = b.no_transaction[BLOCK_DOWN];
		migration_keep(down, &b.spans[BLOCK_DOWN], 1);
	}
	m->no_transaction = b.no_transaction[BLOCK_UP];
	migration_keep(m, &b.spans[BLOCK_UP], 1);
}

/* ---- files ---- */

static size_t
digits(const char *file)
{
	return layout_ends_with(file, ".sql") ? strspn(file, "0123456789") : 0;
}

static void
refuse_order(struct folder *folder, const struct layout_files *files)
{
	for (size_t i = 1; i < files->n; i++) {
		if (strcmp(files->files[i - 1].file, files->files[i].file) > 0)
			layout_refuse(folder, files->files[i].file, 0,
			    "give all numbers as many digits",
			    "dbmate runs %s before %s, against their numbers",
			    files->files[i].file, files->files[i - 1].file);
	}
}

static int
dbmate_load(struct folder *folder, struct file_dir *dir, const struct file_list *root,
    struct err *err)
{
	void *scratch = mem_context(NULL, "dbmate");
	struct layout_files files = layout_sort(folder, root, digits, scratch);

	(void)err; /* file names cannot be broken as a journal can */
	refuse_order(folder, &files);
	for (size_t i = 0; i < files.n; i++) {
		const struct layout_file *file = &files.files[i];
		struct migration *m =
		    layout_add(folder, dir, file, strlen(file->file) - strlen(".sql"));

		m->version = mem_strndup(m, file->file, file->n_digits);
		cut(folder, m);
	}
	for (size_t i = 0; i < root->n; i++) {
		if (layout_ends_with(root->names[i], ".sql") &&
		    digits(root->names[i]) == 0)
			layout_pass_over(folder, root->names[i],
			    "names taken are 20261120055812_description.sql",
			    "dbmate passes it over, so it is not run");
	}
	talloc_free(scratch);
	return 0;
}

const struct layout layout_dbmate = {
	.name = "dbmate",
	.summary =
	    "dbmate: 20261120055812_description.sql with \"-- migrate:up\" and down",
	.sample = "20261120055812_description.sql with \"-- migrate:up\"",
	.tracking = "dbmate",
	.remedy =
	    "give it a number above the newest applied one; or run with out_of_order = apply, "
	    "as dbmate does without --strict",
	.detect = dbmate_detect,
	.load = dbmate_load,
};
