/* SPDX-License-Identifier: PostgreSQL */
#include <stdio.h>
#include <string.h>

#include "base/text.h"
#include "ctl/document.h"
#include "ctl/render.h"

#define ID_WIDTH 60 /* longer ones push their row to the right */

/* ---- the table ---- */

struct widths {
	int id;
	int state;
};

static int
larger(int width, const char *s, int max)
{
	int len = (int)strlen(s);

	return len > width && len <= max ? len : width;
}

static struct widths
measure(const json_t *list)
{
	struct widths widths = { (int)strlen("MIGRATION"), (int)strlen("STATE") };
	const json_t *item;
	size_t i;

	doc_each(i, item, list) {
		widths.id = larger(widths.id, doc_text(item, "id"), ID_WIDTH);
		widths.state = larger(widths.state, doc_text(item, "state"), ID_WIDTH);
	}
	return widths;
}

static void
add_head(struct paint *out, const struct widths *widths)
{
	paint_cell(out, INK_DIM, "MIGRATION", widths->id);
	paint_cell(out, INK_DIM, "STATE", widths->state);
	paint_add(out, INK_DIM, "APPLIED");
	paint_addf(out, "\n");
}

static void
add_row(struct paint *out, const struct widths *widths, const json_t *item)
{
	const char *state = doc_text(item, "state");
	char when[CLOCK_TEXT];

	paint_cell(out, INK_PLAIN, doc_text(item, "id"), widths->id);
	if (doc_time(item, "applied_at", when)[0])
		paint_cell(out, paint_ink_of(state), state, widths->state);
	else
		paint_add(out, paint_ink_of(state), state);
	paint_addf(out, "%s\n", when);
}

static void
add_table(struct paint *out, const json_t *list)
{
	struct widths widths = measure(list);
	const json_t *item;
	size_t i;

	add_head(out, &widths);
	doc_each(i, item, list)
		add_row(out, &widths, item);
}

void
render_migrations(struct paint *out, const json_t *document)
{
	const json_t *list = doc_get(document, "migrations");
	const json_t *phase;
	size_t i;

	if (json_array_size(list) > 0)
		add_table(out, list);
	else
		paint_addf(out, "no migrations\n");
	doc_each(i, phase, doc_get(document, "phases")) {
		if (json_array_size(doc_get(phase, "migrations")) == 0)
			continue;
		paint_addf(out, "\n");
		paint_add(out, INK_BOLD, doc_text(phase, "phase"));
		paint_addf(out, "\n");
		add_table(out, doc_get(phase, "migrations"));
	}
}

static bool
is_settled(const json_t *item)
{
	const char *state = doc_text(item, "state");

	return strcmp(state, "applied") == 0 || strcmp(state, "baseline") == 0;
}

static size_t
count_open(const json_t *list)
{
	const json_t *item;
	size_t i, n = 0;

	doc_each(i, item, list) {
		n += !is_settled(item);
	}
	return n;
}

void
render_screenful(struct paint *out, const json_t *document, size_t rows)
{
	const json_t *list = doc_get(document, "migrations");
	struct widths widths = measure(list);
	size_t n = json_array_size(list);
	size_t open = count_open(list);
	size_t open_left = open < rows ? open : rows;
	size_t settled_left = rows - open_left;
	size_t skip = n - open > settled_left ? n - open - settled_left : 0;
	const json_t *item;
	size_t i;

	if (n == 0)
		return;
	paint_addf(out, "\n");
	add_head(out, &widths);
	doc_each(i, item, list) {
		bool settled = is_settled(item);

		if (settled && skip > 0) {
			skip--;
		} else if (settled || open_left > 0) {
			open_left -= !settled;
			add_row(out, &widths, item);
		}
	}
	if (n > rows)
		paint_addf(out, "... %zu more: %s list\n", n - rows, out->program);
}

/* ---- one ---- */

void
render_migration(struct paint *out, const json_t *document)
{
	const char *state = doc_text(document, "state");
	const json_t *problem = doc_get(document, "problem");
	char when[CLOCK_TEXT];

	paint_line(out, "migration", INK_BOLD, doc_text(document, "id"));
	paint_line(out, "state", paint_ink_of(state), state);
	paint_line(out, "version", INK_PLAIN, doc_text(document, "version"));
	paint_line(out, "file", INK_PLAIN, doc_text(document, "file"));
	paint_line(out, "checksum", INK_PLAIN, doc_text(document, "checksum"));
	paint_line(out, "recorded", INK_PLAIN, doc_text(document, "recorded_checksum"));
	paint_line(out, "applied", INK_PLAIN, doc_time(document, "applied_at", when));
	paint_line(out, "failed", INK_BAD, doc_text(document, "recorded_error"));
	if (problem)
		render_problem(out, problem);
}

/* ---- the plan ---- */

/* All but those that are `said` on the same screen; likewise what to do about them. */
static void
add_problems(struct paint *out, const json_t *list, const char *said, const char *advised)
{
	const json_t *item;
	size_t i;

	doc_each(i, item, list) {
		bool blocks = doc_is(item, "blocks");
		const char *detail = doc_text(item, "detail");
		const char *hint = doc_text(item, "hint");

		if (strstr(said, detail))
			continue;
		paint_line(out, blocks ? "problem" : "warning",
		    blocks ? INK_BAD : INK_WARN, detail);
		if (!strstr(advised, hint))
			paint_advice(out, "hint", hint);
	}
}

/* What a run of that operation does with the migrations of its plan. */
static const char *
verb_of(const json_t *document)
{
	const char *operation = doc_text(document, "operation");

	if (strcmp(operation, "rollback") == 0)
		return "undo";
	return strcmp(operation, "baseline") == 0 ? "record" : "apply";
}

/* Those of the plan, or of one of its phases, numbered from the `*n`th on. */
static void
add_steps(struct paint *out, const json_t *plan, size_t *n)
{
	const char *phase = doc_text(plan, "phase");
	const json_t *step;
	size_t i;

	doc_each(i, step, doc_get(plan, "steps")) {
		paint_addf(out, "%4zu  ", ++*n);
		paint_add(out, INK_PLAIN, doc_text(step, "id"));
		if (phase[0]) {
			paint_addf(out, "  ");
			paint_add(out, INK_DIM, phase);
		}
		paint_addf(out, "\n");
	}
}

void
render_plan(struct paint *out, const json_t *document)
{
	const json_t *refused = doc_get(document, "refused");
	const json_t *phase;
	size_t i, n = 0;

	add_problems(out, doc_get(document, "problems"), doc_text(refused, "detail"), "");
	add_steps(out, document, &n);
	if (refused) {
		render_problem(out, refused);
		return;
	}
	doc_each(i, phase, doc_get(document, "phases")) {
		add_problems(out, doc_get(phase, "problems"),
		    doc_text(phase, "refused.detail"), "");
		add_steps(out, phase, &n);
		if (doc_get(phase, "refused"))
			render_problem(out, doc_get(phase, "refused"));
		if (doc_get(phase, "error"))
			render_problem(out, doc_get(phase, "error"));
	}
	if (!doc_is(document, "known"))
		paint_addf(out, "the database has not been read yet: ask again\n");
	else
		paint_addf(out, "%zu to %s\n", n, verb_of(document));
}

/* ---- the status ---- */

static void
add_database(struct paint *out, const json_t *document)
{
	const json_t *database = doc_get(document, "database");
	const char *name = doc_text(database, "name");
	bool reachable = doc_is(database, "reachable");
	char when[CLOCK_TEXT];
	struct text line;

	text_init(&line, out->text.ctx, 1024);
	text_addf(&line, "%s%s%s%s%s, %sreachable%s%s", name[0] ? name : "not known yet",
	    name[0] ? ", " : "", doc_text(database, "engine"), name[0] ? " " : "",
	    doc_text(database, "server_version"), reachable ? "" : "not ",
	    doc_is(database, "in_recovery") ? ", a standby" : "",
	    doc_is(database, "pooled") ? ", through a pooler" : "");
	paint_line(out, "database", reachable ? INK_PLAIN : INK_BAD, line.data);
	if (doc_text(database, "engine_note")[0] != '\0')
		paint_line(out, "", INK_PLAIN, doc_text(database, "engine_note"));
	if (!doc_get(database, "error"))
		return;
	text_reset(&line);
	text_addf(&line, "%s (last seen %s)", doc_text(database, "error.detail"),
	    doc_time(database, "refreshed_at", when)[0] ? when : "never");
	paint_line(out, "", INK_BAD, line.data);
}

/*
 * "pending   2   applied 41   failed 1": pending always, the others when there are any. NULL:
 * the database was never read, and "pending 0" would be taken for good news.
 */
static void
add_counts(struct paint *out, const char *label, const json_t *counts)
{
	bool is_schema = strcmp(label, "pending") == 0;
	const char *state;
	json_t *count;

	paint_label(out, label);
	if (!counts) {
		paint_addf(out, "not known yet\n");
		return;
	}
	paint_addf(
	    out, "%s%d", is_schema ? "" : "pending ", (int)doc_number(counts, "pending"));
	json_object_foreach((json_t *)counts, state, count) {
		if (strcmp(state, "pending") == 0 || json_integer_value(count) == 0)
			continue;
		paint_addf(out, "   ");
		paint_add(out, paint_ink_of(state), state);
		paint_addf(out, " %d", (int)json_integer_value(count));
	}
	paint_addf(out, "\n");
}

static void
add_runs(struct paint *out, const json_t *document)
{
	const json_t *run = doc_get(document, "run");
	const json_t *last = doc_get(document, "last_run");

	paint_label(out, "run");
	if (run)
		render_run_line(out, run);
	else
		paint_addf(out, "none in progress");
	paint_addf(out, "\n");
	if (run)
		render_wait(out, run);
	else if (doc_is(document, "lock.held"))
		paint_line(out, "lock", INK_WARN, doc_text(document, "lock.holder"));
	if (!last)
		return;
	paint_label(out, "last run");
	render_run_line(out, last);
	paint_addf(out, "\n");
	if (doc_get(last, "error"))
		render_problem_but(
		    out, doc_get(last, "error"), doc_text(document, "advice"));
}

/* One behind the schema, whose own table may be unreadable. */
static void
add_phase(struct paint *out, const json_t *phase, bool was_read, const char *advised)
{
	const json_t *error = doc_get(phase, "error");

	if (error) {
		paint_line(out, doc_text(phase, "phase"), INK_WARN, "not known");
		render_problem_but(out, error, advised);
		return;
	}
	add_counts(
	    out, doc_text(phase, "phase"), was_read ? doc_get(phase, "counts") : NULL);
}

/* Of the folder, which is told with what to do about it. */
static bool
is_problem(const json_t *problems, const char *warning)
{
	const json_t *item;
	size_t i;

	doc_each(i, item, problems) {
		if (warning && strcmp(doc_text(item, "detail"), warning) == 0)
			return true;
	}
	return false;
}

void
render_status(struct paint *out, const json_t *document)
{
	const char *verdict = doc_text(document, "verdict");
	const char *layout = doc_text(document, "folder.layout");
	bool was_read = doc_get(document, "database.refreshed_at") != NULL;
	const json_t *warning, *phase;
	size_t i;

	paint_label(out, "verdict");
	paint_add(out, paint_ink_of(verdict), verdict);
	paint_addf(out, ": ");
	paint_add(out, INK_PLAIN, doc_text(document, "sentence"));
	paint_addf(out, "\n");
	add_database(out, document);
	paint_label(out, "folder");
	paint_add(out, INK_PLAIN, doc_text(document, "folder.path"));
	paint_addf(out, " (");
	paint_add(out, INK_PLAIN, layout[0] ? layout : "layout not recognised");
	paint_addf(out, ")\n");
	paint_line(out, "tracking", INK_PLAIN, doc_text(document, "tracking.table"));
	add_counts(out, "pending", was_read ? doc_get(document, "counts") : NULL);
	doc_each(i, phase, doc_get(document, "phases")) {
		add_phase(out, phase, was_read, doc_text(document, "advice"));
	}
	add_runs(out, document);
	doc_each(i, warning, doc_get(document, "warnings")) {
		if (!is_problem(
			doc_get(document, "folder.problems"), json_string_value(warning)))
			paint_line(out, "warning", INK_WARN, json_string_value(warning));
	}
	add_problems(out, doc_get(document, "folder.problems"),
	    doc_text(document, "sentence"), doc_text(document, "advice"));
}
