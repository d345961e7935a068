/* SPDX-License-Identifier: PostgreSQL */
#include "ctl/progress.h"

#include <stdio.h>
#include <string.h>

#include "ctl/document.h"
#include "ctl/render.h"

#define BAR_WIDTH  20
#define BATCHES_US (30 * INT64_C(1000000)) /* between two lines of them */

/* Take a text over; whether it is another one than before, and not "". */
static bool
takes(char *field, size_t size, const char *text)
{
	char now[256];

	snprintf(now, sizeof(now), "%.*s", (int)size - 1, text);
	if (strcmp(field, now) == 0)
		return false;
	snprintf(field, size, "%s", now);
	return now[0] != '\0';
}

static void
tell_start(struct progress *progress, const json_t *run, struct paint *out)
{
	if (progress->began)
		return;
	progress->began = true;
	paint_addf(out, "%s ", doc_is(run, "joined") ? "joined" : "run");
	paint_add(out, INK_PLAIN, doc_text(run, "operation"));
	paint_addf(out, " ");
	paint_add(out, INK_DIM, doc_text(run, "id"));
	paint_addf(out, "\n");
}

/* Whether it is a failure of a phase, which has a line of its own. */
static bool
is_failure(const json_t *run, const char *warning)
{
	const json_t *phase, *failure;
	size_t i, j;

	doc_each(i, phase, doc_get(run, "phases")) {
		doc_each(j, failure, doc_get(phase, "failures")) {
			if (warning && strcmp(doc_text(failure, "detail"), warning) == 0)
				return true;
		}
	}
	return false;
}

static void
tell_warnings(struct progress *progress, const json_t *run, struct paint *out)
{
	const json_t *list = doc_get(run, "warnings");

	for (; progress->n_warnings < json_array_size(list); progress->n_warnings++) {
		const char *warning =
		    json_string_value(json_array_get(list, progress->n_warnings));

		if (!is_failure(run, warning))
			paint_line(out, "warning", INK_WARN, warning);
	}
}

static void
tell_applied(struct progress *progress, const json_t *run, struct paint *out)
{
	const json_t *list = doc_done(run);
	char span[CLOCK_TEXT];

	for (; progress->n_applied < json_array_size(list); progress->n_applied++) {
		const json_t *item = json_array_get(list, progress->n_applied);

		paint_cell(out, INK_GOOD, doc_done_word(run), 8);
		paint_add(out, INK_PLAIN, doc_text(item, "id"));
		paint_addf(out, "  %s\n", doc_span(item, "duration_seconds", span));
	}
}

/* In phases that a failure does not end. */
static void
tell_failures(struct progress *progress, const json_t *run, struct paint *out)
{
	const json_t *phase, *failure;
	size_t n = 0, i, j;

	doc_each(i, phase, doc_get(run, "phases")) {
		doc_each(j, failure, doc_get(phase, "failures")) {
			if (n++ < progress->n_failures)
				continue;
			progress->n_failures = n;
			paint_line(out, "failed", INK_BAD, doc_text(failure, "detail"));
		}
	}
}

static void
tell_lock(struct progress *progress, const json_t *run, struct paint *out)
{
	if (!takes(
		progress->holder, sizeof(progress->holder), doc_text(run, "lock_holder")))
		return;
	paint_add(out, INK_WARN, "waiting");
	paint_addf(out, "   for ");
	paint_add(out, INK_PLAIN, progress->holder);
	paint_addf(out, "\n");
}

static void
tell_current(
    struct progress *progress, const json_t *run, int64_t now_mono_us, struct paint *out)
{
	if (!takes(
		progress->current, sizeof(progress->current), doc_text(run, "current")))
		return;
	progress->current_mono_us = now_mono_us;
	if (progress->has_bar)
		return;
	paint_addf(out, "running   ");
	paint_add(out, INK_PLAIN, progress->current);
	paint_addf(out, "\n");
}

static void
tell_blocker(struct progress *progress, const json_t *run, struct paint *out)
{
	const json_t *first = json_array_get(doc_get(run, "blockers"), 0);
	int64_t pid = doc_number(first, "pid");

	if (pid != progress->blocker && pid != 0) {
		paint_add(out, INK_WARN, "blocked");
		paint_addf(out, "   by pid %d (", (int)pid);
		paint_add(out, INK_PLAIN, doc_text(first, "application"));
		paint_addf(out, " as ");
		paint_add(out, INK_PLAIN, doc_text(first, "user"));
		paint_addf(out, ", ");
		paint_add(out, INK_PLAIN, doc_text(first, "state"));
		paint_addf(out, "): ");
		paint_add(out, INK_PLAIN, doc_text(first, "query"));
		paint_addf(out, "\n");
	}
	progress->blocker = pid;
	if (doc_number(run, "attempts") > progress->attempts)
		paint_addf(out, "again     a lock was in the way\n");
	progress->attempts = doc_number(run, "attempts");
}

/* Of batches each is another phase, and there may be hours of them. */
static void
tell_batches(
    struct progress *progress, const json_t *run, int64_t now_mono_us, struct paint *out)
{
	if (progress->phase[0] && now_mono_us - progress->phase_mono_us < BATCHES_US)
		return;
	if (!takes(progress->phase, sizeof(progress->phase),
		doc_text(run, "progress.phase")) ||
	    progress->has_bar)
		return;
	progress->phase_mono_us = now_mono_us;
	render_progress(out, doc_get(run, "progress"));
}

static void
tell_phase(
    struct progress *progress, const json_t *run, int64_t now_mono_us, struct paint *out)
{
	char phase[sizeof(progress->phase)];

	if (json_is_object(doc_get(run, "batch"))) {
		tell_batches(progress, run, now_mono_us, out);
		return;
	}
	snprintf(phase, sizeof(phase), "%s%s%s", doc_text(run, "progress.command"),
	    doc_text(run, "progress.phase")[0] ? ", " : "",
	    doc_text(run, "progress.phase"));
	if (!takes(progress->phase, sizeof(progress->phase), phase) || progress->has_bar)
		return;
	paint_addf(out, "phase     ");
	paint_add(out, INK_PLAIN, phase);
	paint_addf(out, "\n");
}

/* Without a state afterwards no row was written: the word was noted, or the guard removed. */
static void
tell_repaired(const json_t *run, struct paint *out)
{
	bool has_row = doc_text(run, "after")[0] != '\0';

	paint_addf(out, ": ");
	paint_add(out, INK_PLAIN, doc_text(run, has_row ? "migration" : "action"));
	paint_addf(out, has_row ? " was " : " ");
	paint_add(out, INK_PLAIN, doc_text(run, has_row ? "before" : "migration"));
	paint_addf(out, has_row ? ", is " : "");
	paint_add(out, INK_PLAIN, doc_text(run, "after"));
}

static void
tell_end(struct progress *progress, const json_t *run, struct paint *out)
{
	const char *outcome = doc_text(run, "outcome");
	size_t n = json_array_size(doc_done(run));
	int failed = (int)doc_number(run, "failed");
	char span[CLOCK_TEXT];

	if (progress->ended || !outcome[0])
		return;
	progress->ended = true;
	paint_add(out, paint_ink_of(outcome), outcome);
	if (strcmp(outcome, "succeeded") == 0 && doc_text(run, "action")[0])
		tell_repaired(run, out);
	else if (n == 0 && failed == 0 && strcmp(outcome, "succeeded") == 0)
		paint_addf(out, ": nothing was to do");
	else
		paint_addf(out, ": %zu migration%s in %s", n, n == 1 ? "" : "s",
		    doc_span(run, "duration_seconds", span));
	if (failed > 0) {
		paint_addf(out, ", ");
		paint_add(out, INK_BAD, "failed");
		paint_addf(out, " %d", failed);
	}
	paint_addf(out, "\n");
}

void
progress_feed(
    struct progress *progress, const json_t *run, int64_t now_mono_us, struct paint *out)
{
	tell_start(progress, run, out);
	tell_lock(progress, run, out);
	tell_warnings(progress, run, out);
	tell_applied(progress, run, out);
	tell_failures(progress, run, out);
	tell_current(progress, run, now_mono_us, out);
	tell_blocker(progress, run, out);
	tell_phase(progress, run, now_mono_us, out);
	tell_end(progress, run, out);
}

/* ---- the bar ---- */

/* What stands behind the bar: the migration and its phase, or what is waited for. */
static void
add_doing(struct text *line, const struct progress *progress, const json_t *run,
    int64_t now_mono_us)
{
	double percent = doc_real(run, "progress.percent", -1);
	char span[CLOCK_TEXT];

	if (!progress->current[0]) {
		text_add(line, doc_text(run, "state_text"));
		return;
	}
	text_add(line, progress->current);
	if (progress->blocker)
		text_addf(line, "  waits for pid %d", (int)progress->blocker);
	else if (progress->phase[0])
		text_addf(line, "  %s", doc_text(run, "progress.phase"));
	if (percent >= 0)
		text_addf(line, " %.0f %%", percent);
	if (doc_span(run, "progress.eta_seconds", span)[0])
		text_addf(line, ", %s left", span);
	text_addf(line, "  %s",
	    clock_format_span(
		now_mono_us - progress->current_mono_us, span, sizeof(span)));
}

/* As many bytes of `s` as fill `columns`, cut on the border of a character. */
static size_t
fitting(const char *s, size_t columns)
{
	size_t len = 0;

	for (; s[len] && columns > 0; columns--) {
		do {
			len++;
		} while (((unsigned char)s[len] & 0xC0) == 0x80);
	}
	return len;
}

void
progress_bar(const struct progress *progress, const json_t *run, int64_t now_mono_us,
    size_t columns, struct paint *out)
{
	int64_t planned = doc_number(run, "planned");
	int64_t done = (int64_t)json_array_size(doc_done(run));
	int filled = planned > 0 ? (int)(done * BAR_WIDTH / planned) : 0;
	struct text head, line;
	size_t room;

	text_init(&head, out->text.ctx, 256);
	text_init(&line, out->text.ctx, 4096);
	text_addf(&head, "[%.*s%.*s] %d/%d  ", filled, "####################",
	    BAR_WIDTH - filled, "--------------------", (int)done, (int)planned);
	add_doing(&line, progress, run, now_mono_us);
	room = columns > head.len ? columns - head.len : 0;
	if (!text_failed(&line))
		line.data[fitting(line.data, room)] = '\0';
	paint_add(out, INK_GOOD, head.data);
	paint_add(out, INK_PLAIN, line.data);
}
