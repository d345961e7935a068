/* SPDX-License-Identifier: PostgreSQL */
#include "ctl/paint.h"

#include <stdarg.h>
#include <string.h>

#include "base/bounds.h"
#include "base/mem.h"
#include "ctl/document.h"
#include "ctl/words.h"
#include "http/plain_line.h"

#define LABEL_WIDTH 10 /* as on the text pages of the API */

/* ECMA-48 8.3.117, SGR: the eight colours that every terminal has. */
static const char *const inks[INK_COUNT] = {
	[INK_PLAIN] = "",
	[INK_GOOD] = "\x1b[32m",
	[INK_BAD] = "\x1b[31m",
	[INK_WARN] = "\x1b[33m",
	[INK_DIM] = "\x1b[2m",
	[INK_BOLD] = "\x1b[1m",
};

/* States of migrations, outcomes of runs, verdicts, states of checks. */
static const struct {
	const char *word;
	enum ink ink;
} words[] = {
	{ "applied", INK_GOOD },
	{ "baseline", INK_GOOD },
	{ "current", INK_GOOD },
	{ "succeeded", INK_GOOD },
	{ "pending", INK_WARN },
	{ "incomplete", INK_WARN },
	{ "out_of_order", INK_WARN },
	{ "missing", INK_WARN },
	{ "unregistered", INK_WARN },
	{ "cancelled", INK_WARN },
	{ "running", INK_BOLD },
	{ "in progress", INK_BOLD },
	{ "failed", INK_BAD },
	{ "in_doubt", INK_BAD },
	{ "modified", INK_BAD },
	{ "invalid", INK_BAD },
	{ "refused", INK_BAD },
	{ "drift", INK_BAD },
	{ "unreachable", INK_BAD },
};

enum ink
paint_ink_of(const char *word)
{
	for (size_t i = 0; i < ARRAY_SIZE(words); i++) {
		if (strcmp(words[i].word, word) == 0)
			return words[i].ink;
	}
	return INK_PLAIN;
}

void
paint_init(struct paint *paint, const void *ctx, bool has_colour)
{
	text_init(&paint->text, ctx, BOUND_REPLY_BYTES);
	paint->has_colour = has_colour;
	paint->program = "migrationctl";
}

void
paint_add(struct paint *paint, enum ink ink, const char *s)
{
	bool has_ink = paint->has_colour && ink != INK_PLAIN && s && s[0];

	if (!s)
		return;
	text_add(&paint->text, has_ink ? inks[ink] : "");
	plain_add_clean(&paint->text, s);
	text_add(&paint->text, has_ink ? "\x1b[0m" : "");
}

void
paint_addf(struct paint *paint, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	text_vaddf(&paint->text, fmt, ap);
	va_end(ap);
}

/* How many columns a text takes: one for each character. */
static int
width_of(const char *s)
{
	int n = 0;

	for (; *s; s++)
		n += ((unsigned char)*s & 0xC0) != 0x80;
	return n;
}

void
paint_cell(struct paint *paint, enum ink ink, const char *s, int width)
{
	int fill = width - width_of(s);

	paint_add(paint, ink, s);
	paint_addf(paint, "%*s", (fill > 0 ? fill : 0) + 2, "");
}

void
paint_label(struct paint *paint, const char *label)
{
	int fill = LABEL_WIDTH - width_of(label);

	paint_add(paint, INK_PLAIN, label);
	paint_addf(paint, "%*s", fill > 1 ? fill : 1, "");
}

void
paint_line(struct paint *paint, const char *label, enum ink ink, const char *value)
{
	if (!value || !value[0])
		return;
	paint_label(paint, label);
	paint_add(paint, ink, value);
	paint_addf(paint, "\n");
}

void
paint_add_advice(struct paint *paint, enum ink ink, const char *advice)
{
	char *said = words_as_commands(NULL, advice ? advice : "");

	paint_add(paint, ink, said);
	talloc_free(said);
}

void
paint_advice(struct paint *paint, const char *label, const char *advice)
{
	if (!advice || !advice[0])
		return;
	paint_label(paint, label);
	paint_add_advice(paint, INK_BOLD, advice);
	paint_addf(paint, "\n");
}

void
paint_requests(struct paint *paint, const char *label, const json_t *document)
{
	const json_t *request;
	size_t i;

	doc_each(i, request, doc_get(document, "requests")) {
		const char *when = doc_text(request, "when");
		char *command = words_of_request(NULL, paint->program, request);

		paint_label(paint, label);
		paint_add(paint, INK_BOLD, command);
		paint_addf(paint, when[0] ? "  # " : "");
		paint_add(paint, INK_DIM, when);
		paint_addf(paint, "\n");
		talloc_free(command);
	}
}
