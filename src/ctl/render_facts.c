/* SPDX-License-Identifier: PostgreSQL */
#include <string.h>

#include "ctl/document.h"
#include "ctl/render.h"

#define NAME_WIDTH  20
#define VALUE_WIDTH 30

void
render_config(struct paint *out, const json_t *document)
{
	const char *name;
	json_t *setting;

	json_object_foreach((json_t *)doc_get(document, "settings"), name, setting) {
		const char *origin = doc_text(setting, "origin");
		bool is_default = strcmp(origin, "default") == 0;

		paint_cell(out, INK_PLAIN, name, NAME_WIDTH);
		paint_cell(out, is_default ? INK_DIM : INK_BOLD,
		    doc_text(setting, "value"), VALUE_WIDTH);
		paint_add(out, INK_DIM, origin);
		paint_addf(out, "\n");
	}
}

void
render_version(struct paint *out, const json_t *document)
{
	const char *name;
	json_t *version;

	paint_add(out, INK_BOLD, doc_text(document, "name"));
	paint_addf(out, " ");
	paint_add(out, INK_PLAIN, doc_text(document, "version"));
	paint_addf(out, "\n");
	json_object_foreach((json_t *)doc_get(document, "libraries"), name, version) {
		paint_add(out, INK_PLAIN, name);
		paint_addf(out, " ");
		paint_add(out, INK_PLAIN, json_string_value(version));
		paint_addf(out, "\n");
	}
}

void
render_checks(struct paint *out, const json_t *document)
{
	const char *name;
	json_t *check;

	json_object_foreach((json_t *)doc_get(document, "checks"), name, check) {
		const char *word = json_string_value(check);

		if (word && strcmp(word, "ok") == 0)
			paint_line(out, name, INK_GOOD, word);
		else
			paint_line(out, name, INK_BAD, word ? word : "");
	}
}
