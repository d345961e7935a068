/* SPDX-License-Identifier: PostgreSQL */
#include "core/locate.h"

#include <stdio.h>
#include <string.h>

#include "base/secret.h"
#include "base/utf8.h"
#include "core/sqlscan.h"

/* How many statements the parts before this one hold. */
static unsigned
statements_before(const struct migration *m, size_t part)
{
	unsigned n = 0;

	for (size_t i = 0; i < part; i++) {
		struct sqlscan scan;
		struct sqlscan_statement statement;

		sqlscan_init(&scan, m->parts[i].text, m->parts[i].len);
		while (sqlscan_next(&scan, &statement))
			n++;
	}
	return n;
}

/*
 * The statement that holds byte `offset`, or the one with index `index` where there
 * is no offset; the last where neither is found (a deferred check may fail behind
 * the last one). Its index is left in *found. False: the part has no statement.
 */
static bool
find_statement(const struct part *part, const size_t *offset, unsigned index,
    struct sqlscan_statement *out, unsigned *found)
{
	struct sqlscan scan;
	struct sqlscan_statement statement;
	unsigned n = 0;
	bool done = false;

	sqlscan_init(&scan, part->text, part->len);
	while (!done && sqlscan_next(&scan, &statement)) {
		*out = statement;
		*found = n;
		done = offset != NULL ? *offset < statement.offset + statement.len
				      : n == index;
		n++;
	}
	return n > 0;
}

/* The head of a statement on one line, cut between characters. */
static void
copy_excerpt(char *out, size_t size, const char *text, size_t len)
{
	size_t n = 0, step;

	for (size_t i = 0; i < len; i += step) {
		bool space = strchr(" \t\r\n", text[i]) != NULL;
		size_t skip;

		step = utf8_sequence((const unsigned char *)text + i, len - i, &skip);
		if (step == 0)
			step = skip;
		if (space && n > 0 && out[n - 1] == ' ')
			continue;
		if (n + step >= size)
			break;
		memcpy(out + n, space ? " " : text + i, step);
		n += step;
	}
	out[n] = '\0';
	secret_cover_sql(out);
}

void
locate_error(const struct migration *m, size_t part, unsigned long position,
    unsigned n_completed, struct err *err)
{
	const struct part *p = &m->parts[part];
	struct sqlscan_statement statement = { 0 };
	unsigned index = 0;
	size_t offset = position > 0 ? migration_char_offset(p, position) : 0;

	snprintf(err->file, sizeof(err->file), "%s", m->file);
	if (find_statement(
		p, position > 0 ? &offset : NULL, n_completed, &statement, &index)) {
		err->statement = statements_before(m, part) + index + 1;
		copy_excerpt(err->excerpt, sizeof(err->excerpt),
		    p->text + statement.offset, statement.len);
	}
	migration_locate(
	    p, position > 0 ? offset : statement.offset, &err->line, &err->column);
	if (position == 0)
		err->column = 0;
}

void
locate_statement(const struct migration *m, const struct script_statement *statement,
    unsigned long position, struct err *err)
{
	const struct part *part = &m->parts[statement->part];
	struct part alone = { .text = statement->text, .len = statement->len };
	size_t offset = position > 0 ? migration_char_offset(&alone, position) : 0;

	snprintf(err->file, sizeof(err->file), "%s", m->file);
	err->statement = statement->number;
	copy_excerpt(err->excerpt, sizeof(err->excerpt), statement->text, statement->len);
	migration_locate(part, statement->offset + offset, &err->line, &err->column);
	if (position == 0)
		err->column = 0;
}
