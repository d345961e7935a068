/* SPDX-License-Identifier: PostgreSQL */
#include <string.h>

#include "ctl/document.h"
#include "ctl/render.h"

static enum ink
ink_of(const char *severity)
{
	if (strcmp(severity, "error") == 0)
		return INK_BAD;
	return strcmp(severity, "warning") == 0 ? INK_WARN : INK_DIM;
}

/* "drizzle/0044_x.sql:3", as editors and CI systems know it. */
static void
add_place(struct paint *out, const json_t *document, const json_t *finding)
{
	const char *file = doc_text(finding, "file");
	const char *migration = doc_text(finding, "migration");
	int line = (int)doc_number(finding, "line");

	if (!file[0] && migration[0]) {
		paint_add(out, INK_BOLD, migration);
		return;
	}
	if (!file[0] && strcmp(doc_text(finding, "kind"), "unreachable") == 0) {
		paint_addf(out, "database");
		return;
	}
	paint_add(out, INK_BOLD,
	    file[0] ? doc_text(finding, "path") : doc_text(document, "folder.path"));
	if (line > 0)
		paint_addf(out, ":%d", line);
}

/* Twenty pending ones need the same advice once, behind the last. */
static void
add_remedy(struct paint *out, const json_t *finding, const json_t *next)
{
	const char *remedy = doc_text(finding, "remedy");
	const json_t *command;
	size_t i;

	if (remedy[0] && strcmp(remedy, doc_text(next, "remedy")) != 0) {
		paint_addf(out, "    ");
		paint_add_advice(out, INK_PLAIN, remedy);
		paint_addf(out, "\n");
	}
	doc_each(i, command, doc_get(finding, "commands")) {
		paint_addf(out, "    $ ");
		paint_add(out, INK_BOLD, json_string_value(command));
		paint_addf(out, "\n");
	}
}

static void
add_count(struct paint *out, const char *before, const json_t *document, const char *path)
{
	int n = (int)doc_number(document, path);
	const char *what = strchr(path, '.') + 1;

	/* the members are plurals */
	paint_addf(out, "%s%d %.*s", before, n, (int)strlen(what) - (n == 1), what);
}

void
render_check(struct paint *out, const json_t *document)
{
	const json_t *list = doc_get(document, "findings");
	const char *verdict = doc_text(document, "verdict");
	int left_out = (int)doc_number(document, "findings_left_out");
	const json_t *finding;
	size_t i;

	doc_each(i, finding, list) {
		const char *severity = doc_text(finding, "severity");

		add_place(out, document, finding);
		paint_addf(out, ": ");
		paint_add(out, ink_of(severity), severity);
		paint_addf(out, ": ");
		paint_add(out, INK_PLAIN, doc_text(finding, "message"));
		paint_addf(out, " [");
		paint_add(out, INK_DIM, doc_text(finding, "kind"));
		paint_addf(out, "]\n");
		add_remedy(out, finding, json_array_get(list, i + 1));
	}
	if (left_out > 0)
		paint_addf(out, "... and %d more\n", left_out);
	paint_addf(out, "%scheck: ", json_array_size(list) > 0 ? "\n" : "");
	paint_add(out, strcmp(verdict, "fine") == 0 ? INK_GOOD : paint_ink_of(verdict),
	    verdict);
	add_count(out, ": ", document, "counts.errors");
	add_count(out, ", ", document, "counts.warnings");
	add_count(out, ", ", document, "counts.notes");
	add_count(out, "; ", document, "folder.migrations");
	add_count(out, ", ", document, "folder.snapshots");
	paint_addf(out, "\n");
}
