/* SPDX-License-Identifier: PostgreSQL */
#include "core/migration.h"

#include <string.h>

#include "base/bounds.h"
#include "base/mem.h"
#include "base/utf8.h"

static const char *const state_names[MIGRATION_STATE_COUNT] = {
	[MIGRATION_APPLIED] = "applied",
	[MIGRATION_BASELINE] = "baseline",
	[MIGRATION_PENDING] = "pending",
	[MIGRATION_RUNNING] = "running",
	[MIGRATION_FAILED] = "failed",
	[MIGRATION_IN_DOUBT] = "in_doubt",
	[MIGRATION_MODIFIED] = "modified",
	[MIGRATION_MISSING] = "missing",
	[MIGRATION_OUT_OF_ORDER] = "out_of_order",
	[MIGRATION_UNREGISTERED] = "unregistered",
	[MIGRATION_INVALID] = "invalid",
};

const char *
migration_state_name(enum migration_state state)
{
	return state_names[state];
}

/* ---- names ---- */

static bool
is_name_char(char c)
{
	return (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') ||
	    (c >= '0' && c <= '9') || c == '_' || c == '.' || c == '-';
}

static int
refuse_char(char c, struct err *err)
{
	if (c > ' ' && c <= '~')
		return err_set(err, CAT_SECURITY_VIOLATION,
		    "the migration's name has the character '%c'", c);
	return err_set(err, CAT_SECURITY_VIOLATION,
	    "the migration's name has the byte 0x%02X", (unsigned)(unsigned char)c);
}

int
migration_check_id(const char *id, struct err *err)
{
	int rc = -1;
	size_t len = strlen(id);
	size_t good = 0;

	while (good < len && is_name_char(id[good]))
		good++;

	if (len == 0)
		err_set(err, CAT_SECURITY_VIOLATION, "the migration's name is empty");
	else if (len > BOUND_NAME_BYTES)
		err_set(err, CAT_SECURITY_VIOLATION,
		    "the migration's name has %zu bytes, the most is %u", len,
		    BOUND_NAME_BYTES);
	else if (good < len)
		refuse_char(id[good], err);
	else if (id[0] == '.')
		err_set(
		    err, CAT_SECURITY_VIOLATION, "the migration's name begins with '.'");
	else if (strstr(id, ".."))
		err_set(err, CAT_SECURITY_VIOLATION, "the migration's name has \"..\"");
	else
		rc = 0;

	if (rc < 0)
		err_hint(err, "use letters, digits, '_', '-' and single dots only");
	return rc;
}

/* ---- text ---- */

static unsigned
count_lines(const char *from, const char *to)
{
	unsigned n = 0;

	for (const char *p = from; (p = memchr(p, '\n', (size_t)(to - p))) != NULL; p++)
		n++;
	return n;
}

/* Characters of UTF-8: all bytes that do not continue one. */
static unsigned
count_chars(const char *from, const char *to)
{
	unsigned n = 0;

	for (const char *p = from; p < to; p++)
		n += ((unsigned char)*p & 0xC0) != 0x80;
	return n;
}

/* Where the line that holds `at` begins, not looking further back than `start`. */
static const char *
line_start(const char *start, const char *at)
{
	const char *newline = memrchr(start, '\n', (size_t)(at - start));

	return newline ? newline + 1 : start;
}

static bool
begins_with(const char *line, size_t len, const char *prefix)
{
	size_t n = strlen(prefix);

	return len >= n && memcmp(line, prefix, n) == 0;
}

unsigned
migration_conflict_line(const char *text, size_t len)
{
	const char *end = text + len;
	unsigned number = 1;

	for (const char *line = text; line < end; number++) {
		const char *newline = memchr(line, '\n', (size_t)(end - line));
		size_t n = (size_t)((newline ? newline : end) - line);

		if (begins_with(line, n, "<<<<<<< ") || begins_with(line, n, ">>>>>>> "))
			return number;
		line += n + 1;
	}
	return 0;
}

const char *
migration_recorded_checksum(const struct migration *m)
{
	return m->tool_checksum ? m->tool_checksum : m->checksum;
}

void
migration_set_problem(struct migration *m, const void *ctx, const struct err *err)
{
	if (m->problem)
		return;
	m->problem = mem_zero(ctx, struct err);
	*m->problem = *err;
}

/* Put what must not run into m->problem. */
static void
refuse_text(struct migration *m, const void *ctx, unsigned line, const char *hint,
    const char *text)
{
	struct err err = { 0 };

	err_set(&err, CAT_SQL_SYNTAX_ERROR, "%s", text);
	err_hint(&err, "%s", hint);
	err_where(&err, m->file, line);
	err.exit_code = EXIT_FILES; /* nothing has run yet */
	migration_set_problem(m, ctx, &err);
}

/* `valid` bytes of the data are UTF-8: all, or those before the first bad one. */
static void
judge_text(
    struct migration *m, const void *ctx, const char *data, size_t len, size_t valid)
{
	const char *nul = memchr(data, '\0', len);
	unsigned conflict = migration_conflict_line(data, len);

	if (nul)
		refuse_text(m, ctx, 1 + count_lines(data, nul),
		    "save it as UTF-8; every second byte of UTF-16 is a NUL",
		    "the file has a NUL byte");
	else if (valid < len)
		refuse_text(m, ctx, 1 + count_lines(data, data + valid),
		    "save it as UTF-8", "the file is not valid UTF-8");
	else if (begins_with(data, len, "\xEF\xBB\xBF"))
		refuse_text(m, ctx, 1, "save it as UTF-8 without one",
		    "the file begins with a byte order mark, which PostgreSQL refuses");
	else if (conflict)
		refuse_text(m, ctx, conflict,
		    "resolve it and remove the lines that git left",
		    "unresolved merge conflict");
}

static const char *
find_marker(const char *from, const char *end, const char *marker)
{
	return marker ? memmem(from, (size_t)(end - from), marker, strlen(marker)) : NULL;
}

static size_t
count_parts(const char *text, const char *end, const char *marker)
{
	size_t n = 1;

	for (const char *p = text; (p = find_marker(p, end, marker)) != NULL;
	     p += strlen(marker))
		n++;
	return n;
}

/*
 * n markers give n + 1 parts, nothing trimmed and nothing dropped, with no eye for quotes: as
 * drizzle-orm's text.split(marker) does, so that the server gets what it would get from there.
 */
static void
cut_parts(struct migration *m, const void *ctx, const char *marker)
{
	const char *end = m->text + m->text_len;
	const char *from = m->text;
	unsigned line = 1;

	m->n_parts = count_parts(m->text, end, marker);
	m->parts = mem_array(ctx, struct part, m->n_parts);
	for (size_t i = 0; i < m->n_parts; i++) {
		struct part *part = &m->parts[i];
		const char *next = find_marker(from, end, marker);
		const char *to = next ? next : end;

		part->text = from;
		part->len = (size_t)(to - from);
		part->line = line;
		part->column = 1 + count_chars(line_start(m->text, from), from);
		line += count_lines(from, to);
		from = next ? to + strlen(marker) : end;
	}
}

void
migration_set_text(struct migration *m, const void *ctx, const char *data, size_t len,
    const char *marker)
{
	size_t valid = len;

	if (utf8_is_valid(data, len, &valid)) {
		m->text = mem_memdup(ctx, data, len);
		m->text_len = len;
	} else {
		m->text = utf8_replace(ctx, data, len, &m->text_len);
	}
	judge_text(m, ctx, data, len, valid);
	digest_sha256_hex(m->text, m->text_len, m->checksum);
	cut_parts(m, ctx, marker);
}

/* ---- sections, and the way back ---- */

static void
set_one_part(struct migration *m, size_t from, size_t to)
{
	const char *start = m->text + from;

	m->n_parts = 1;
	m->parts = mem_array(m, struct part, 1);
	m->parts[0] = (struct part){
		.text = start,
		.len = to - from,
		.line = 1 + count_lines(m->text, start),
		.column = 1 + count_chars(line_start(m->text, start), start),
	};
}

/* Blank: a carriage return may stay, too, it is white space to the server. */
static void
blank(char *text, size_t from, size_t to)
{
	for (size_t i = from; i < to; i++) {
		if (text[i] != '\n' && text[i] != '\r')
			text[i] = ' ';
	}
}

void
migration_keep(struct migration *m, const struct migration_span *spans, size_t n)
{
	char *text = mem_memdup(m, m->text, m->text_len);
	size_t from = 0;

	for (size_t i = 0; i < n; i++) {
		blank(text, from, spans[i].from);
		from = spans[i].to;
	}
	blank(text, from, m->text_len);
	m->text = text;
	set_one_part(m, n > 0 ? spans[0].from : 0, n > 0 ? spans[n - 1].to : 0);
}

struct migration *
migration_add_down(struct migration *m, const char *file)
{
	struct migration *down = mem_zero(m, struct migration);

	*down = *m;
	down->down = NULL;
	down->no_transaction = false;
	if (file) {
		down->file = mem_strdup(down, file);
		down->text = "";
		down->text_len = 0;
		down->checksum[0] = '\0';
		down->problem = NULL;
	}
	set_one_part(down, 0, down->text_len);
	m->down = down;
	return down;
}

/* ---- names ---- */

/* Of so few letters a name is in many others by chance. */
#define SURE_LETTERS 4u

static char *
letters_of(const void *ctx, const char *s)
{
	char *letters = mem_array(ctx, char, strlen(s) + 1);
	size_t n = 0;

	for (; *s != '\0'; s++) {
		if (*s >= 'A' && *s <= 'Z')
			letters[n++] = (char)(*s - 'A' + 'a');
		else if ((*s >= 'a' && *s <= 'z') || (*s >= '0' && *s <= '9'))
			letters[n++] = *s;
	}
	return letters;
}

enum migration_named
migration_is_named(const struct migration *m, const char *name)
{
	void *scratch = mem_context(NULL, "names");
	char *recorded = letters_of(scratch, name != NULL ? name : "");
	char *own = letters_of(scratch, m->name != NULL ? m->name : "");
	enum migration_named named = NAMED_OTHER;

	if (recorded[0] == '\0')
		named = NAMED_NOT;
	else if (strstr(letters_of(scratch, m->file), recorded) != NULL ||
	    (strlen(own) >= SURE_LETTERS && strstr(recorded, own) != NULL))
		named = NAMED_SAME;
	talloc_free(scratch);
	return named;
}

/* ---- places ---- */

void
migration_locate(const struct part *part, size_t offset, unsigned *line, unsigned *column)
{
	const char *at = part->text + (offset < part->len ? offset : part->len);
	const char *start = line_start(part->text, at);
	unsigned before = start == part->text && part->column > 0 ? part->column : 1;

	*line = part->line + count_lines(part->text, at);
	*column = before + count_chars(start, at);
}

size_t
migration_char_offset(const struct part *part, unsigned long position)
{
	unsigned long seen = 0;

	for (size_t i = 0; i < part->len; i++) {
		seen += ((unsigned char)part->text[i] & 0xC0) != 0x80;
		if (seen >= position)
			return i;
	}
	return part->len;
}
