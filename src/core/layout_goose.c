/* SPDX-License-Identifier: PostgreSQL */
#include <string.h>
#include <strings.h>

#include "base/mem.h"
#include "core/layout_kind.h"

/*
 * goose v3: 00001_users.sql with sections, each begun by an annotation in a line of its own
 * (internal/sqlparser/parser.go):
 *
 *	-- +goose Up
 *	CREATE TABLE users (id int);
 *	-- +goose StatementBegin
 *	...
 *	-- +goose StatementEnd
 *	-- +goose Down
 *	DROP TABLE users;
 *
 * "-- +goose NO TRANSACTION" counts for both directions, wherever it stands. How goose cuts a
 * section into statements does not matter here: the server does, or our own scanner.
 */

enum annotation {
	ANNOTATION_NONE,
	ANNOTATION_UP,
	ANNOTATION_DOWN,
	ANNOTATION_BEGIN,
	ANNOTATION_END,
	ANNOTATION_NO_TRANSACTION,
	ANNOTATION_ENVSUB_ON,
	ANNOTATION_ENVSUB_OFF,
	ANNOTATION_UNKNOWN
};

struct sections {
	struct folder *folder;
	struct migration *migration;
	struct migration_span up;
	struct migration_span down;
	bool has_up;
	bool has_down;
	bool in_statement; /* between StatementBegin and StatementEnd */
	bool no_transaction;
};

static bool
is_space(char c)
{
	return c == ' ' || c == '\t';
}

static enum annotation
annotation_of(const struct layout_line *line)
{
	static const struct {
		const char *words;
		enum annotation annotation;
	} known[] = {
		{ "Up", ANNOTATION_UP },
		{ "Down", ANNOTATION_DOWN },
		{ "StatementBegin", ANNOTATION_BEGIN },
		{ "StatementEnd", ANNOTATION_END },
		{ "NO TRANSACTION", ANNOTATION_NO_TRANSACTION },
		{ "ENVSUB ON", ANNOTATION_ENVSUB_ON },
		{ "ENVSUB OFF", ANNOTATION_ENVSUB_OFF },
	};
	static const char mark[] = "+goose";
	const char *at = memmem(line->text, line->len, mark, strlen(mark));
	const char *end = line->text + line->len;
	const char *p = line->text;

	while (p < end && is_space(*p))
		p++;
	if (at == NULL || end - p < 2 || strncmp(p, "--", 2) != 0)
		return ANNOTATION_NONE;
	if (p > line->text) /* as goose has it: no white space before it */
		return ANNOTATION_UNKNOWN;
	for (p += 2; p < at && is_space(*p); p++)
		;
	if (p < at)
		return ANNOTATION_UNKNOWN;
	for (p = at + strlen(mark); p < end && is_space(*p); p++)
		;
	while (end > p && is_space(end[-1]))
		end--;
	for (size_t i = 0; i < ARRAY_SIZE(known); i++) {
		size_t len = strlen(known[i].words);

		if (len == (size_t)(end - p) && strncasecmp(p, known[i].words, len) == 0)
			return known[i].annotation;
	}
	return ANNOTATION_UNKNOWN;
}

static bool
is_up(const struct layout_line *line)
{
	return annotation_of(line) == ANNOTATION_UP;
}

static bool
goose_detect(struct file_dir *dir, const struct file_list *root)
{
	return layout_first_has(dir, root, is_up);
}

/* ---- sections ---- */

static void
begin_up(struct sections *s, const struct layout_line *line)
{
	if (s->has_up)
		layout_refuse_migration(s->folder, s->migration, line->number,
		    "one \"-- +goose Up\" comes first, then one \"-- +goose Down\"",
		    "a second \"-- +goose Up\"");
	s->has_up = true;
	s->up.from = line->to;
}

static void
begin_down(struct sections *s, const struct layout_line *line)
{
	if (!s->has_up || s->has_down)
		layout_refuse_migration(s->folder, s->migration, line->number,
		    "one \"-- +goose Up\" comes first, then one \"-- +goose Down\"",
		    s->has_up ? "a second \"-- +goose Down\""
			      : "\"-- +goose Down\" without \"-- +goose Up\" before");
	s->has_down = true;
	s->up.to = line->from;
	s->down.from = line->to;
}

static void
take_statement(struct sections *s, const struct layout_line *line, bool begins)
{
	if (s->in_statement == begins || !s->has_up)
		layout_refuse_migration(s->folder, s->migration, line->number,
		    "each StatementBegin has its StatementEnd, within a section",
		    "a Statement%s that does not belong here", begins ? "Begin" : "End");
	s->in_statement = begins;
}

static void
take_text(struct sections *s, const struct layout_line *line)
{
	const char *p = line->text;
	const char *end = line->text + line->len;

	while (p < end && is_space(*p))
		p++;
	if (s->has_up || p == end || (end - p >= 2 && strncmp(p, "--", 2) == 0))
		return;
	layout_refuse_migration(s->folder, s->migration, line->number,
	    "put the line \"-- +goose Up\" before the first statement",
	    "SQL before \"-- +goose Up\"");
}

static void
take_line(struct sections *s, const struct layout_line *line)
{
	switch (annotation_of(line)) {
	case ANNOTATION_NONE:
		take_text(s, line);
		break;
	case ANNOTATION_UP:
		begin_up(s, line);
		break;
	case ANNOTATION_DOWN:
		begin_down(s, line);
		break;
	case ANNOTATION_BEGIN:
	case ANNOTATION_END:
		take_statement(s, line, annotation_of(line) == ANNOTATION_BEGIN);
		break;
	case ANNOTATION_NO_TRANSACTION:
		s->no_transaction = true;
		break;
	case ANNOTATION_ENVSUB_ON:
		layout_refuse_migration(s->folder, s->migration, line->number,
		    "write the values out, or let goose run this folder",
		    "goose puts environment variables into this file, migrationd does not");
		break;
	case ANNOTATION_ENVSUB_OFF:
		break;
	case ANNOTATION_UNKNOWN:
		layout_refuse_migration(s->folder, s->migration, line->number,
		    "goose knows Up, Down, StatementBegin, StatementEnd, NO TRANSACTION "
		    "and ENVSUB, at the beginning of a line",
		    "goose would refuse this annotation");
		break;
	}
}

static void
cut(struct folder *folder, struct migration *m)
{
	struct sections s = { .folder = folder, .migration = m };
	struct layout_line line = { 0 };

	if (m->problem)
		return;
	s.up.to = s.down.to = m->text_len;
	while (layout_next_line(m->text, m->text_len, &line))
		take_line(&s, &line);
	if (!s.has_up || s.in_statement)
		layout_refuse_migration(folder, m, 0,
		    "goose refuses the file, too: mend it",
		    s.has_up ? "a StatementBegin without its StatementEnd"
			     : "there is no line \"-- +goose Up\"");
	if (m->problem)
		return;
	if (s.has_down) {
		struct migration *down = migration_add_down(m, NULL);

		down->no_transaction = s.no_transaction;
		migration_keep(down, &s.down, 1);
	}
	m->no_transaction = s.no_transaction;
	migration_keep(m, &s.up, 1);
}

/* ---- files ---- */

static size_t
sql_digits(const char *file)
{
	return layout_ends_with(file, ".sql") ? layout_count_digits(file, '_') : 0;
}

static void
look_at_others(struct folder *folder, const struct file_list *root)
{
	for (size_t i = 0; i < root->n; i++) {
		const char *file = root->names[i];

		if (layout_ends_with(file, ".go") &&
		    !layout_ends_with(file, "_test.go") &&
		    layout_count_digits(file, '_') > 0)
			layout_refuse(folder, file, 0,
			    "write it as SQL, or let goose run this folder",
			    "a migration written in Go cannot be run here");
		else if (layout_ends_with(file, ".sql") && sql_digits(file) == 0)
			layout_pass_over(folder, file,
			    "names taken are 00001_description.sql",
			    "goose passes it over, so it is not run");
	}
}

static int
goose_load(struct folder *folder, struct file_dir *dir, const struct file_list *root,
    struct err *err)
{
	void *scratch = mem_context(NULL, "goose");
	struct layout_files files = layout_sort(folder, root, sql_digits, scratch);

	(void)err; /* file names cannot be broken as a journal can */
	for (size_t i = 0; i < files.n; i++) {
		size_t len = strlen(files.files[i].file) - strlen(".sql");
		struct migration *m = layout_add(folder, dir, &files.files[i], len);

		if (files.files[i].number == 0)
			layout_refuse_migration(folder, m, 0, "number from 1",
			    "the number 0 is goose's own row");
		cut(folder, m);
	}
	look_at_others(folder, root);
	talloc_free(scratch);
	return 0;
}

const struct layout layout_goose = {
	.name = "goose",
	.summary = "goose: 00001_description.sql with \"-- +goose Up\" and Down",
	.sample = "00001_description.sql with \"-- +goose Up\"",
	.tracking = "goose",
	.remedy =
	    "give it a number above the newest applied one; or run with out_of_order = apply, "
	    "as goose -allow-missing does",
	.detect = goose_detect,
	.load = goose_load,
};
