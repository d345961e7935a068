/* SPDX-License-Identifier: PostgreSQL */
#include <ctype.h>
#include <stdio.h>
#include <string.h>

#include "ctl/document.h"
#include "ctl/render.h"

/* ---- a problem ---- */

static void
add_statement(struct paint *out, const json_t *document)
{
	const char *text = doc_text(document, "statement.text");

	if (!text[0])
		return;
	paint_label(out, "sql");
	if (doc_number(document, "statement.index") > 0)
		paint_addf(
		    out, "statement %d: ", (int)doc_number(document, "statement.index"));
	paint_add(out, INK_PLAIN, text);
	paint_addf(out, "\n");
}

/* Of its category; the words of an HTTP status ("Conflict") tell a person nothing. */
static bool
has_title(const json_t *document)
{
	const char *type = strrchr(doc_text(document, "type"), ':');
	const char *category = doc_text(document, "category");

	while (type && *++type && *category) {
		char c = *category == '_' ? '-' : (char)tolower((unsigned char)*category);

		if (*type != c)
			return false;
		category++;
	}
	return type && !*type && !*category;
}

void
render_problem_but(struct paint *out, const json_t *document, const char *advised)
{
	const char *category = doc_text(document, "category");
	const char *sqlstate = doc_text(document, "sqlstate");
	const char *title = has_title(document) ? doc_text(document, "title") : "";
	const char *hint = doc_text(document, "hint");

	paint_label(out, "error");
	paint_add(out, INK_BAD, title);
	paint_addf(out, title[0] ? ": " : "");
	paint_add(out, INK_PLAIN, doc_text(document, "detail"));
	paint_addf(out, "\n");
	if (category[0]) {
		paint_label(out, "category");
		paint_add(out, INK_PLAIN, category);
		paint_addf(out, sqlstate[0] ? ", SQLSTATE " : "");
		paint_add(out, INK_PLAIN, sqlstate);
		paint_addf(out, "\n");
	}
	/* of a run's problem it is the migration where it stopped */
	paint_line(out, "migration", INK_PLAIN, doc_text(document, "migration"));
	add_statement(out, document);
	paint_line(out, "detail", INK_PLAIN, doc_text(document, "message_detail"));
	paint_line(out, "context", INK_PLAIN, doc_text(document, "context"));
	if (!strstr(advised, hint))
		paint_advice(out, "hint", hint);
	/* else they stand below what is advised */
	if (!advised[0])
		paint_requests(out, "answer", document);
}

void
render_problem(struct paint *out, const json_t *document)
{
	render_problem_but(out, document, "");
}

/* ---- a run ---- */

static const char *
outcome_of(const json_t *run)
{
	const char *outcome = doc_text(run, "outcome");

	return outcome[0] ? outcome : "in progress";
}

void
render_run_line(struct paint *out, const json_t *run)
{
	bool done = doc_get(run, "outcome") != NULL;
	size_t n = json_array_size(doc_done(run));
	char text[CLOCK_TEXT];

	paint_add(out, INK_PLAIN, doc_text(run, "operation"));
	paint_addf(out, " ");
	paint_add(out, INK_PLAIN, doc_text(run, "id"));
	paint_addf(out, " ");
	paint_add(out, paint_ink_of(outcome_of(run)), outcome_of(run));
	paint_addf(out, " %s", doc_time(run, done ? "finished_at" : "started_at", text));
	if (done) {
		paint_addf(out, ", %zu migration%s in %s", n, n == 1 ? "" : "s",
		    doc_span(run, "duration_seconds", text));
		return;
	}
	paint_addf(out, ", %zu of %d done, ", n, (int)doc_number(run, "planned"));
	paint_add(out, INK_PLAIN, doc_text(run, "state_text"));
	if (doc_get(run, "current")) {
		paint_addf(out, ": ");
		paint_add(out, INK_PLAIN, doc_text(run, "current"));
	}
}

static void
add_blocker(struct paint *out, const json_t *blocker)
{
	char age[CLOCK_TEXT];

	paint_label(out, "blocker");
	paint_addf(out, "pid %d (", (int)doc_number(blocker, "pid"));
	paint_add(out, INK_PLAIN, doc_text(blocker, "application"));
	paint_addf(out, " as ");
	paint_add(out, INK_PLAIN, doc_text(blocker, "user"));
	paint_addf(out, ", ");
	paint_add(out, INK_WARN, doc_text(blocker, "state"));
	if (doc_span(blocker, "age_seconds", age)[0])
		paint_addf(out, " for %s", age);
	paint_addf(out, "): ");
	paint_add(out, INK_PLAIN, doc_text(blocker, "query"));
	paint_addf(out, "\n");
}

void
render_progress(struct paint *out, const json_t *progress)
{
	char left[CLOCK_TEXT];
	double percent = doc_real(progress, "percent", -1);
	double rate = doc_real(progress, "rate_per_second", -1);

	paint_label(out, "progress");
	paint_add(out, INK_PLAIN, doc_text(progress, "command"));
	paint_addf(out, doc_text(progress, "phase")[0] ? ", " : "");
	paint_add(out, INK_PLAIN, doc_text(progress, "phase"));
	if (percent >= 0)
		paint_addf(out, ", %.1f %%", percent);
	if (rate >= 1) {
		paint_addf(out, ", %.0f ", rate);
		paint_add(out, INK_PLAIN, doc_text(progress, "unit"));
		paint_addf(out, "/s");
	}
	if (doc_span(progress, "eta_seconds", left)[0])
		paint_addf(out, ", %s left", left);
	paint_addf(out, "\n");
}

void
render_wait(struct paint *out, const json_t *run)
{
	int queued = (int)doc_number(run, "queued");
	const json_t *blocker;
	size_t i;

	doc_each(i, blocker, doc_get(run, "blockers")) {
		add_blocker(out, blocker);
	}
	if (queued > 0) {
		paint_label(out, "queued");
		paint_addf(out, "%d session%s behind its locks\n", queued,
		    queued == 1 ? "" : "s");
	}
	if (doc_get(run, "progress"))
		render_progress(out, doc_get(run, "progress"));
}

static void
add_done(struct paint *out, const json_t *run)
{
	const char *label = doc_done_word(run);
	const json_t *item;
	char span[CLOCK_TEXT];
	size_t i;

	doc_each(i, item, doc_done(run)) {
		paint_label(out, i == 0 ? label : "");
		paint_add(out, INK_GOOD, doc_text(item, "id"));
		paint_addf(out, "  %s\n", doc_span(item, "duration_seconds", span));
	}
}

/* In phases that a failure does not end. */
static void
add_failures(struct paint *out, const json_t *phases)
{
	const json_t *phase, *failure;
	size_t i, j;

	doc_each(i, phase, phases) {
		doc_each(j, failure, doc_get(phase, "failures")) {
			paint_line(out, doc_text(phase, "phase"), INK_BAD,
			    doc_text(failure, "detail"));
		}
	}
}

void
render_run(struct paint *out, const json_t *document)
{
	bool done = doc_get(document, "outcome") != NULL;
	const json_t *warning;
	size_t i;

	paint_label(out, "run");
	render_run_line(out, document);
	paint_addf(out, "\n");
	paint_line(out, "asked by", INK_PLAIN, doc_text(document, "requested_by"));
	if (!done)
		paint_line(out, "lock", INK_WARN, doc_text(document, "lock_holder"));
	render_wait(out, document);
	if (doc_number(document, "attempts") > 0) {
		paint_label(out, "retries");
		paint_addf(out, "%d, for locks\n", (int)doc_number(document, "attempts"));
	}
	doc_each(i, warning, doc_get(document, "warnings")) {
		paint_line(out, "warning", INK_WARN, json_string_value(warning));
	}
	add_done(out, document);
	add_failures(out, doc_get(document, "phases"));
	if (doc_get(document, "error"))
		render_problem(out, doc_get(document, "error"));
}

void
render_runs(struct paint *out, const json_t *document)
{
	const json_t *list = doc_get(document, "runs");
	const json_t *run;
	size_t i;

	if (json_array_size(list) == 0)
		paint_addf(out, "no runs\n");
	doc_each(i, run, list) {
		render_run_line(out, run);
		paint_addf(out, "\n");
	}
}
