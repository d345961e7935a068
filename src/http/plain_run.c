/* SPDX-License-Identifier: PostgreSQL */
#include <stdio.h>
#include <string.h>

#include "core/run_wait.h"
#include "http/plain.h"
#include "http/plain_line.h"

#define INDENT "          " /* as wide as a label */

void
plain_add_clean(struct text *out, const char *s)
{
	for (; *s; s++) {
		unsigned char c = (unsigned char)*s;

		if (c == '\n')
			text_add(out, "\n" INDENT);
		else if (c == '\t')
			text_add_char(out, ' ');
		else if (c < ' ' || c == 0x7f)
			text_addf(out, "\\x%02x", c);
		else
			text_add_char(out, *s);
	}
}

void
plain_add_line(struct text *out, const char *label, const char *value)
{
	if (!value || !value[0])
		return;
	text_addf(out, PLAIN_LABEL, label);
	plain_add_clean(out, value);
	text_add_char(out, '\n');
}

const char *
plain_time(int64_t us, char buf[CLOCK_TEXT])
{
	if (us == 0)
		return "";
	clock_format(us, buf, CLOCK_TEXT);
	buf[10] = ' ';
	memcpy(buf + 19, "Z", 2);
	return buf;
}

void
plain_add_body(struct text *out, const struct status_request *request)
{
	if (!request->action)
		return;
	text_add(out, "{\"migration\": ");
	text_add_json_string(out, request->migration);
	text_addf(out, ", \"action\": \"%s\"", request->action);
	if (request->phase)
		text_addf(out, ", \"phase\": \"%s\"", request->phase);
	text_add_char(out, '}');
}

/* What a person may say to it. */
static void
add_answers(struct text *out, const struct err *err)
{
	struct status_request requests[STATUS_REQUESTS];
	size_t n = status_answers(err, requests);

	for (size_t i = 0; i < n; i++) {
		text_addf(out, PLAIN_LABEL "POST %s ", "answer", requests[i].path);
		plain_add_body(out, &requests[i]);
		text_addf(out, "  # %s\n", requests[i].when);
	}
}

void
plain_error(struct text *out, const struct err *err)
{
	plain_error_but(out, err, "");
}

void
plain_error_but(struct text *out, const struct err *err, const char *advised)
{
	char line[ERR_LINE];
	char place[64] = "";

	plain_add_line(out, "error", err_format(err, line, sizeof(line)));
	snprintf(line, sizeof(line), "%s%s%s", category_name(err->category),
	    err->sqlstate[0] ? ", SQLSTATE " : "", err->sqlstate);
	plain_add_line(out, "category", line);
	plain_add_line(out, "migration", err->migration);
	if (err->statement)
		snprintf(place, sizeof(place), "statement %u: ", err->statement);
	snprintf(line, sizeof(line), "%s%s", place, err->excerpt);
	plain_add_line(out, "sql", err->excerpt[0] ? line : "");
	plain_add_line(out, "detail", err->detail);
	plain_add_line(out, "context", err->context);
	if (err->hint[0] == '\0' || strstr(advised, err->hint) == NULL) {
		plain_add_line(out, "hint", err->hint);
		add_answers(out, err);
	}
}

static const char *
run_word(const struct run *run)
{
	return run_is_done(run) ? run_outcome_name(run->outcome) : "in progress";
}

void
plain_add_run(struct text *out, const struct run *run)
{
	char when[CLOCK_TEXT];
	char span[CLOCK_TEXT];

	text_addf(out, "%s %s %s %s", run_operation_name(run->operation), run->id,
	    run_word(run),
	    plain_time(
		run_is_done(run) ? run->finished_at_us : run->started_at_us, when));
	if (run_is_done(run)) {
		text_addf(out, ", %zu migration%s in %s", run->n_applied,
		    run->n_applied == 1 ? "" : "s",
		    clock_format_span(run->duration_us, span, sizeof(span)));
		return;
	}
	text_addf(out, ", %zu of %zu done, %s", run->n_applied, run->n_planned,
	    run_state_sentence(run->state));
	if (run->current)
		text_addf(out, ": %s", run->current);
}

static void
add_blocker(struct text *out, const struct run_blocker *blocker)
{
	char who[RUN_BLOCKER_TEXT];
	char remedy[RUN_REMEDY_TEXT];
	char line[sizeof(who) + sizeof(remedy) + sizeof(blocker->query) + 32];

	snprintf(line, sizeof(line), "%s; to end it: %s%s%s",
	    run_blocker_text(blocker, who, sizeof(who)),
	    run_blocker_remedy(blocker, remedy, sizeof(remedy)),
	    blocker->query[0] ? "; its query: " : "", blocker->query);
	plain_add_line(out, "blocker", line);
}

void
plain_add_wait(struct text *out, const struct run *run)
{
	char progress[RUN_PROGRESS_TEXT];

	for (unsigned i = 0; i < run->n_blockers; i++)
		add_blocker(out, &run->blockers[i]);
	if (run->n_queued > 0)
		text_addf(out, PLAIN_LABEL "%u session%s behind its locks\n", "queued",
		    run->n_queued, run->n_queued == 1 ? "" : "s");
	if (run_progress_now(run))
		plain_add_line(out, "progress",
		    run_progress_text(run_progress_now(run), progress, sizeof(progress)));
	if (run->batch.on)
		plain_add_line(out, "held", run->batch.held);
}

/* What a person decided, and what follows from it. */
static void
add_repair(struct text *out, const struct run *run)
{
	if (run->operation != PLAN_REPAIR)
		return;
	plain_add_line(out, "action", run->action);
	plain_add_line(out, "migration", run->up_to);
	plain_add_line(out, "before", run->before);
	if (run->outcome == RUN_SUCCEEDED)
		plain_add_line(out, "after", run->after);
	if (run->up_to && run_is_done(run) && !err_is_set(&run->err))
		plain_add_line(out, "next", "POST /apply");
}

void
plain_run(struct text *out, const struct run *run)
{
	const char *label = run->operation == PLAN_ROLLBACK ? "undone" : "applied";
	char span[CLOCK_TEXT];

	text_addf(out, PLAIN_LABEL, "run");
	plain_add_run(out, run);
	text_add_char(out, '\n');
	plain_add_line(out, "asked by", run->requested_by);
	plain_add_line(out, "reason", run->reason);
	add_repair(out, run);
	plain_add_line(out, "lock", run_is_done(run) ? NULL : run->lock_holder);
	plain_add_wait(out, run);
	if (run->attempts > 0)
		text_addf(out, PLAIN_LABEL "%u, for locks\n", "retries", run->attempts);
	for (size_t i = 0; i < run->n_warnings; i++)
		plain_add_line(out, "warning", run->warnings[i]);
	for (size_t i = 0; i < run->n_applied; i++) {
		const struct run_migration *m = &run->applied[i];

		text_addf(out, PLAIN_LABEL "%s  %s\n", i == 0 ? label : "", m->id,
		    clock_format_span(m->duration_us, span, sizeof(span)));
	}
	if (run->n_failed > 0)
		text_addf(out,
		    PLAIN_LABEL "%zu, which stopped nothing: see the warnings\n",
		    "failed", run->n_failed);
	if (err_is_set(&run->err))
		plain_error(out, &run->err);
}

void
plain_runs(struct text *out, const struct status *status, size_t limit, const char *after)
{
	size_t i = 0;

	while (after && i < status->n_runs && strcmp(status->runs[i++]->id, after) != 0)
		;
	if (i == status->n_runs)
		text_add(out, "no runs\n");
	for (; i < status->n_runs && limit > 0; i++, limit--) {
		plain_add_run(out, status->runs[i]);
		text_add_char(out, '\n');
	}
}
