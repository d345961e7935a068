/* SPDX-License-Identifier: PostgreSQL */
#include "http/plain.h"

#include <stdio.h>
#include <string.h>

#include "base/bounds.h"
#include "base/mem.h"
#include "http/plain_line.h"

#define ID_WIDTH 60 /* longer ones push their row to the right */

/* ---- the table of migrations ---- */

struct column_widths {
	int id;
	int state;
};

static struct column_widths
measure(const struct plan *plan)
{
	struct column_widths widths = { .id = 9, .state = 5 };

	for (size_t i = 0; i < plan->n_items; i++) {
		int id = (int)strlen(plan->items[i].id);
		int state = (int)strlen(migration_state_name(plan->items[i].state));

		if (id > widths.id && id <= ID_WIDTH)
			widths.id = id;
		if (state > widths.state)
			widths.state = state;
	}
	return widths;
}

static void
add_head(struct text *out, const struct column_widths *widths)
{
	text_addf(out, "%-*s  %-*s  APPLIED\n", widths->id, "MIGRATION", widths->state,
	    "STATE");
}

static void
add_row(
    struct text *out, const struct column_widths *widths, const struct plan_item *item)
{
	const struct history_row *row = item->row;
	const char *state = migration_state_name(item->state);
	char when[CLOCK_TEXT] = "";
	size_t start = out->len;

	if (row && !row->failed)
		plain_time(row->applied_at_us, when);
	plain_add_clean(out, item->id);
	text_addf(out, "%*s",
	    widths->id + 2 - (int)(out->len - start) > 2
		? widths->id + 2 - (int)(out->len - start)
		: 2,
	    "");
	if (when[0])
		text_addf(out, "%-*s  %s\n", widths->state, state, when);
	else
		text_addf(out, "%s\n", state);
}

/* Applied and done with: of these the status shows the newest only. */
static bool
is_settled(const struct plan_item *item)
{
	return item->state == MIGRATION_APPLIED || item->state == MIGRATION_BASELINE;
}

/*
 * At most PLAIN_STATUS_ROWS, in the order of the folder: what is not settled first
 * counts, then the newest of the settled fill up.
 */
static void
add_screenful(struct text *out, const struct plan *plan)
{
	struct column_widths widths = measure(plan);
	size_t n_open = 0, open_left = PLAIN_STATUS_ROWS, skip;

	for (size_t i = 0; i < plan->n_items; i++)
		n_open += !is_settled(&plan->items[i]);
	open_left = n_open < PLAIN_STATUS_ROWS ? n_open : PLAIN_STATUS_ROWS;
	skip = plan->n_items - n_open; /* settled ones to leave out */
	skip = skip > PLAIN_STATUS_ROWS - open_left
	    ? skip - (PLAIN_STATUS_ROWS - open_left)
	    : 0;

	if (plan->n_items > 0)
		add_head(out, &widths);
	for (size_t i = 0; i < plan->n_items; i++) {
		bool settled = is_settled(&plan->items[i]);

		if (settled && skip > 0) {
			skip--;
		} else if (settled || open_left > 0) {
			open_left -= !settled;
			add_row(out, &widths, &plan->items[i]);
		}
	}
	if (plan->n_items > PLAIN_STATUS_ROWS)
		text_addf(out, "... %zu more: GET /migrations?format=text\n",
		    plan->n_items - PLAIN_STATUS_ROWS);
}

void
plain_migrations(struct text *out, const struct status *status, const char *state)
{
	const struct plan *plan = status->plan;
	struct column_widths widths = measure(plan);

	add_head(out, &widths);
	for (size_t i = 0; i < plan->n_items; i++) {
		const char *name = migration_state_name(plan->items[i].state);

		if (!state || strcmp(state, name) == 0)
			add_row(out, &widths, &plan->items[i]);
	}
}

void
plain_migration(struct text *out, const struct plan_item *item)
{
	const struct migration *m = item->migration;
	const struct history_row *row = item->row;
	char when[CLOCK_TEXT];

	plain_add_line(out, "migration", item->id);
	plain_add_line(out, "state", migration_state_name(item->state));
	plain_add_line(out, "version", m ? m->version : row ? row->key : NULL);
	plain_add_line(out, "file", m ? m->file : NULL);
	plain_add_line(out, "checksum", m ? m->checksum : NULL);
	if (row) {
		plain_add_line(out, "recorded", row->checksum);
		plain_add_line(out, "applied",
		    row->failed ? "" : plain_time(row->applied_at_us, when));
		plain_add_line(out, "failed", row->error);
	}
	if (m && m->problem)
		plain_error(out, m->problem);
}

/* ---- the status ---- */

static void
add_database(struct text *out, const struct database_facts *database)
{
	char line[ERR_LINE];
	char when[CLOCK_TEXT];
	char reason[ERR_LINE];

	snprintf(line, sizeof(line), "%s%s%s%s%s, %s%s%s",
	    database->name[0] ? database->name : "not known yet",
	    database->engine[0] ? ", " : "", database->engine,
	    database->server_version[0] ? " " : "", database->server_version,
	    !database->looked         ? "not looked at yet"
		: database->reachable ? "reachable"
				      : "not reachable",
	    database->in_recovery ? ", a standby" : "",
	    database->pooled ? ", through a pooler" : "");
	plain_add_line(out, "database", line);
	if (database->engine_note[0] != '\0')
		plain_add_line(out, "", database->engine_note);
	if (!err_is_set(&database->err))
		return;
	snprintf(line, sizeof(line), "%s (last seen %s)",
	    err_format(&database->err, reason, sizeof(reason)),
	    database->refreshed_at_us ? plain_time(database->refreshed_at_us, when)
				      : "never");
	plain_add_line(out, "", line);
}

static const struct plan_item *
newest_applied(const struct plan *plan)
{
	for (size_t i = plan->n_items; i > 0; i--) {
		if (plan->items[i - 1].migration && is_settled(&plan->items[i - 1]))
			return &plan->items[i - 1];
	}
	return NULL;
}

static void
add_schema(struct text *out, const struct plan *plan)
{
	const struct plan_item *item = newest_applied(plan);
	int64_t us = item && item->row ? item->row->applied_at_us : 0;
	char when[CLOCK_TEXT];

	text_addf(out, PLAIN_LABEL "%s", "schema",
	    item               ? item->id
		: !plan->known ? "not known yet"
			       : "nothing applied yet");
	if (us)
		text_addf(out, ", applied %s", plain_time(us, when));
	text_add_char(out, '\n');
}

/*
 * "pending   2   applied 41   failed 1": pending always, the others when there are any. No
 * number where the table was never read: "pending 0" would be taken for good news.
 */
static void
add_counts(struct text *out, const char *label, const struct plan *plan)
{
	if (!plan->known) {
		plain_add_line(out, label, "not known yet");
		return;
	}
	text_addf(out, PLAIN_LABEL "%s%zu", label,
	    strcmp(label, "pending") == 0 ? "" : "pending ",
	    plan->counts[MIGRATION_PENDING]);
	for (unsigned i = 0; i < MIGRATION_STATE_COUNT; i++) {
		if (i != MIGRATION_PENDING && plan->counts[i] > 0)
			text_addf(out, "   %s %zu",
			    migration_state_name((enum migration_state)i),
			    plan->counts[i]);
	}
	text_add_char(out, '\n');
}

/* One that failed, and of what: where its table keeps no errors, as the run has told. */
static void
add_failed(
    struct text *out, const struct status_phase *phase, const struct plan_item *item)
{
	const struct err *err = status_error_of(phase->parked, item);
	char line[ERR_LINE] = "";

	if (item->row && item->row->error)
		snprintf(line, sizeof(line), "%s", item->row->error);
	else if (err)
		err_format(err, line, sizeof(line));
	text_addf(out, PLAIN_LABEL "%s%s", "failed", item->id, line[0] ? ": " : "");
	plain_add_clean(out, line);
	text_add_char(out, '\n');
}

/* The phases behind the schema. */
static void
add_phases(struct text *out, const struct status *status, const char *advised)
{
	for (unsigned p = PHASE_SCHEMA + 1; p < PHASE_COUNT; p++) {
		const struct plan *plan = status->phases[p].plan;

		if (!plan)
			continue;
		if (status->phases[p].unread) {
			plain_add_line(out, phase_name((enum phase)p), "not known");
			plain_error_but(out, status->phases[p].unread, advised);
			continue;
		}
		add_counts(out, phase_name((enum phase)p), plan);
		for (size_t i = 0; i < plan->n_items; i++) {
			if (plan->items[i].state == MIGRATION_FAILED)
				add_failed(out, &status->phases[p], &plan->items[i]);
		}
	}
}

static void
add_runs(struct text *out, const struct status *status, const char *advised)
{
	text_addf(out, PLAIN_LABEL, "run");
	if (status->run)
		plain_add_run(out, status->run);
	else
		text_add(out, "none in progress");
	text_add_char(out, '\n');
	if (status->run)
		plain_add_wait(out, status->run);
	if (!status->last_run)
		return;
	text_addf(out, PLAIN_LABEL, "last run");
	plain_add_run(out, status->last_run);
	text_add_char(out, '\n');
	if (err_is_set(&status->last_run->err))
		plain_error_but(out, &status->last_run->err, advised);
}

/* What stands in the way; what to do about it, unless it is `advised` below. */
static void
add_problems(struct text *out, const struct plan *plan, const char *advised)
{
	char line[ERR_LINE];

	for (size_t i = 0; i < plan->n_problems && i < PLAIN_STATUS_ROWS; i++) {
		const struct plan_problem *problem = &plan->problems[i];

		plain_add_line(out, problem->blocks ? "problem" : "warning",
		    err_format(&problem->err, line, sizeof(line)));
	}
	if (err_is_set(&plan->refusal)) {
		plain_add_line(
		    out, "refused", err_format(&plan->refusal, line, sizeof(line)));
		if (strstr(advised, plan->refusal.hint) == NULL)
			plain_add_line(out, "hint", plan->refusal.hint);
	}
}

/* Host is the client's own word: it goes into a command only as the name that it should be. */
static bool
is_plain_host(const char *host)
{
	return host && host[0] &&
	    host[strspn(host,
		"abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"
		".-:[]")] == '\0';
}

/* Under the advice, for the shell. */
static void
add_requests(
    struct text *out, const struct status *status, const char *host, bool needs_token)
{
	struct status_request requests[STATUS_REQUESTS];
	size_t n = status_requests(status, requests);
	struct text body;

	for (size_t i = 0; is_plain_host(host) && i < n; i++) {
		text_init(&body, out->ctx, BOUND_CONFIG_VALUE);
		plain_add_body(&body, &requests[i]);
		text_add(out, "      curl ");
		if (needs_token)
			text_add(out, "-H \"Authorization: Bearer $TOKEN\" ");
		text_add(out, body.len > 0 ? "--json " : "-X POST");
		if (body.len > 0)
			text_add_word(out, body.data);
		text_addf(out, " http://%s%s", host, requests[i].path);
		if (requests[i].when)
			text_addf(out, "  # %s", requests[i].when);
		text_add_char(out, '\n');
		talloc_free(body.data);
	}
}

void
plain_status(
    struct text *out, const struct status *status, const char *host, bool needs_token)
{
	char line[STATUS_TEXT + 16]; /* and the verdict */
	char sentence[STATUS_TEXT];
	char advice[STATUS_TEXT];

	status_advice(status, advice, sizeof(advice));
	snprintf(line, sizeof(line), "%s: %s", verdict_name(status_verdict(status)),
	    status_sentence(status, sentence, sizeof(sentence)));
	plain_add_line(out, "verdict", line);
	add_database(out, &status->database);
	snprintf(line, sizeof(line), "%s (%s)", status->folder->path,
	    status->folder->layout ? status->folder->layout->name
				   : "layout not recognised");
	plain_add_line(out, "folder", line);
	snprintf(line, sizeof(line), "%s, %s", status->tracking.table,
	    status->tracking.exists ? status->tracking.kind : "not there yet");
	plain_add_line(out, "tracking", status->plan->known ? line : "not known yet");
	add_schema(out, status->plan);
	add_counts(out, "pending", status->plan);
	add_phases(out, status, advice);
	plain_add_line(out, "lock", status->lock.held ? status->lock.holder : "");
	add_runs(out, status, advice);
	add_problems(out, status->plan, advice);
	text_add_char(out, '\n');
	add_screenful(out, status->plan);
	if (advice[0]) {
		text_add(out, "\nnext: ");
		plain_add_clean(out, advice);
		text_add_char(out, '\n');
	}
	add_requests(out, status, host, needs_token);
}

static void
add_plan(struct text *out, const struct plan *plan, enum plan_operation operation)
{
	static const char *const verbs[PLAN_OPERATION_COUNT] = {
		[PLAN_APPLY] = "apply",
		[PLAN_BASELINE] = "record",
		[PLAN_ROLLBACK] = "undo",
	};

	add_problems(out, plan, "");
	for (size_t i = 0; i < plan->n_steps; i++)
		text_addf(out, "%4zu  %s\n", i + 1, plan->steps[i].migration->id);
	if (plan->known)
		text_addf(out, "%zu to %s\n", plan->n_steps, verbs[operation]);
	else
		text_add(out, "the database has not been read yet: ask again\n");
}

void
plain_plan(struct text *out, const struct status *status, enum plan_operation operation,
    const struct outlook *outlook)
{
	const struct plan *schema = outlook->plans[PHASE_SCHEMA];

	if (schema)
		add_plan(out, schema, operation);
	for (unsigned p = PHASE_SCHEMA + 1; p < PHASE_COUNT; p++) {
		const struct plan *plan = outlook->plans[p];
		const char *name = phase_name((enum phase)p);

		if (!plan)
			continue;
		add_problems(out, plan, "");
		for (size_t i = 0; i < plan->n_steps; i++)
			text_addf(out, "%s   %s (%s)\n", schema ? "and" : "   ",
			    plan->steps[i].migration->id, name);
		if (status->phases[p].unread)
			plain_error(out, status->phases[p].unread);
		else if (!plan->known)
			text_addf(out, "the table of %s has not been read yet\n", name);
	}
}
