/* SPDX-License-Identifier: PostgreSQL */
#include "core/drift.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/bounds.h"
#include "base/mem.h"
#include "base/text.h"

/* Definitions longer than that are shown by their first line that differs. */
#define SHORT_BYTES 200

static void add(struct drift *drift, const char *fmt, ...) PRINTF_LIKE(2, 3);

static void
add(struct drift *drift, const char *fmt, ...)
{
	va_list ap;

	if (drift->n >= BOUND_DRIFT) {
		drift->n_more++;
		return;
	}
	drift->differences = mem_grow(drift, drift->differences, char *, drift->n + 1);
	va_start(ap, fmt);
	drift->differences[drift->n++] = mem_vprintf(drift, fmt, ap);
	va_end(ap);
}

/* What it is a part of is missing there too: then it goes without saying. */
static bool
goes_without_saying(
    const struct schema_item *item, const struct schema *here, const struct schema *there)
{
	return schema_find(here, item->parent) != NULL &&
	    schema_find(there, item->parent) == NULL;
}

static bool
is_short(const char *definition)
{
	return strlen(definition) <= SHORT_BYTES && strchr(definition, '\n') == NULL;
}

/* The line at `s` as one can show it, owned by `ctx`. */
static char *
line_at(const void *ctx, const char *s)
{
	size_t len = strcspn(s, "\n");

	if (len == 0)
		return mem_strdup(ctx, "nothing");
	if (len <= SHORT_BYTES)
		return mem_printf(ctx, "\"%.*s\"", (int)len, s);
	for (len = SHORT_BYTES; ((unsigned char)s[len] & 0xc0) == 0x80; len--)
		; /* not in the middle of a character */
	return mem_printf(ctx, "\"%.*s...\"", (int)len, s);
}

/* Long texts: where they part. */
static void
add_lines(struct drift *drift, const struct schema_item *database,
    const struct schema_item *folder)
{
	const char *a = database->definition, *b = folder->definition;
	void *scratch = mem_context(drift, "lines");
	unsigned line = 1;

	for (;;) {
		size_t len = strcspn(a, "\n");

		if (len != strcspn(b, "\n") || memcmp(a, b, len) != 0)
			break;
		line++;
		if (a[len] == '\0' || b[len] == '\0') { /* one of them goes on */
			a += len + (a[len] != '\0');
			b += len + (b[len] != '\0');
			break;
		}
		a += len + 1;
		b += len + 1;
	}
	add(drift, "%s differs from line %u on: %s, the folder says %s", database->key,
	    line, line_at(scratch, a), line_at(scratch, b));
	talloc_free(scratch);
}

static const char *
in_words(const char *definition)
{
	return definition[0] != '\0' ? definition : "plain";
}

static void
compare_definitions(struct drift *drift, const struct schema_item *database,
    const struct schema_item *folder)
{
	const char *a = database->definition, *b = folder->definition;

	if (strcmp(a, b) == 0)
		return;
	if (is_short(a) && is_short(b))
		add(drift, "%s is %s, the folder says %s", database->key, in_words(a),
		    in_words(b));
	else
		add_lines(drift, database, folder);
}

struct drift *
drift_compare(const void *ctx, const struct schema *database, const struct schema *folder)
{
	struct drift *drift = mem_zero(ctx, struct drift);
	size_t i = 0, j = 0;

	while (i < database->n_items || j < folder->n_items) {
		const struct schema_item *a =
		    i < database->n_items ? &database->items[i] : NULL;
		const struct schema_item *b =
		    j < folder->n_items ? &folder->items[j] : NULL;
		int order = a == NULL ? 1 : b == NULL ? -1 : strcmp(a->key, b->key);

		if (order == 0) {
			compare_definitions(drift, a, b);
		} else if (order < 0) {
			if (!a->given && !goes_without_saying(a, database, folder))
				add(drift,
				    "%s is in the database, and the folder does not make it",
				    a->key);
		} else if (!goes_without_saying(b, folder, database)) {
			add(drift, "%s is missing in the database", b->key);
		}
		i += order <= 0;
		j += order >= 0;
	}
	return drift;
}

/* As many of them as a detail holds: it is what text answers and log lines show. */
static void
show_in_detail(const struct drift *drift, struct err *err)
{
	struct text text;
	void *ctx = mem_context(NULL, "detail");
	size_t i = 0, len = 0;

	text_init(&text, ctx, sizeof(err->detail));
	for (; i < drift->n; i++) {
		len += strlen(drift->differences[i]) + 1;
		if (len + 64 > sizeof(err->detail))
			break;
		text_addf(&text, "%s%s", i > 0 ? "\n" : "", drift->differences[i]);
	}
	if (i < drift->n + drift->n_more)
		text_addf(&text, "%sand %zu more", i > 0 ? "\n" : "",
		    drift->n + drift->n_more - i);
	(void)snprintf(err->detail, sizeof(err->detail), "%s", text.data);
	talloc_free(ctx);
}

void
drift_refuse(const struct drift *drift, struct err *err)
{
	size_t n = drift->n + drift->n_more;

	err_set(err, CAT_CONFIGURATION,
	    "the database is not what the folder makes: %zu difference%s", n,
	    n == 1 ? "" : "s");
	err_hint(err,
	    "mend the database or the files, or record less: a baseline up to the migration "
	    "that the database is really at");
	show_in_detail(drift, err);
}
