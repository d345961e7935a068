/* SPDX-License-Identifier: PostgreSQL */
#pragma once

/*
 * Text for people: what a command prints, with colours where they are wanted. Whatever
 * comes from a document goes through here, and its control characters are shown as \x1b
 * and the like, so that no name or message of a server moves the cursor.
 *
 *	struct paint out;
 *
 *	paint_init(&out, ctx, has_colour);
 *	paint_line(&out, "verdict", INK_GOOD, doc_text(status, "verdict"));
 *	fputs(out.text.data, stdout);
 */

#include <stdbool.h>

#include <jansson.h>

#include "base/macros.h"
#include "base/text.h"

enum ink {
	INK_PLAIN,
	INK_GOOD,
	INK_BAD,
	INK_WARN,
	INK_DIM,
	INK_BOLD,
	INK_COUNT
};

struct paint {
	struct text text;
	bool has_colour;
	const char
	    *program; /* what commands to be pasted begin with; "migrationctl" at first */
};

void paint_init(struct paint *paint, const void *ctx, bool has_colour);

/* A text of others, cleaned; NULL is none. */
void paint_add(struct paint *paint, enum ink ink, const char *s);

/* Text of our own, as it is. */
void paint_addf(struct paint *paint, const char *fmt, ...) PRINTF_LIKE(2, 3);

/* The same in a column: filled up with blanks to `width`, and two more. */
void paint_cell(struct paint *paint, enum ink ink, const char *s, int width);

/* A label, in its column. */
void paint_label(struct paint *paint, const char *label);

/* "label     value"; nothing when the value is "" or NULL. */
void paint_line(struct paint *paint, const char *label, enum ink ink, const char *value);

/*
 * Advice of the API, its requests said as commands: "migrationctl apply" for "POST
 * /apply". NULL is none.
 */
void paint_add_advice(struct paint *paint, enum ink ink, const char *advice);

/* The same as a line, as paint_line has it. */
void paint_advice(struct paint *paint, const char *label, const char *advice);

/*
 * What a document says to send next ("requests"), each as a command, behind that label or
 * beneath what stands before.
 */
void paint_requests(struct paint *paint, const char *label, const json_t *document);

/* Green for what is well, red for what is not: by state or outcome. */
enum ink paint_ink_of(const char *word);
