/* SPDX-License-Identifier: PostgreSQL */
#include "core/status.h"

#include <stdio.h>
#include <string.h>

#include "base/macros.h"
#include "core/run_wait.h"

static const char *
plural(size_t n)
{
	return n == 1 ? "" : "s";
}

/* ---- current ---- */

static void
current_sentence(const struct status *status, char *buf, size_t size)
{
	const struct plan *plan = status->plan;
	size_t n = plan->counts[MIGRATION_APPLIED] + plan->counts[MIGRATION_BASELINE];
	const char *newest = "";
	char notes[128] = "";
	size_t len = 0;

	for (size_t i = 0; i < plan->n_items; i++) {
		if (plan->items[i].state == MIGRATION_APPLIED ||
		    plan->items[i].state == MIGRATION_BASELINE)
			newest = plan->items[i].id;
	}
	if (plan->counts[MIGRATION_OUT_OF_ORDER] > 0)
		len = (size_t)snprintf(notes, sizeof(notes),
		    "; %zu left out as out of order",
		    plan->counts[MIGRATION_OUT_OF_ORDER]);
	if (plan->counts[MIGRATION_MISSING] > 0)
		snprintf(notes + len, sizeof(notes) - len,
		    "; %zu recorded without a file", plan->counts[MIGRATION_MISSING]);
	if (n == 0)
		snprintf(
		    buf, size, "nothing to apply: no migrations in the folder%s", notes);
	else
		snprintf(buf, size, "%zu migration%s applied, newest is %s%s", n,
		    plural(n), newest, notes);
}

static void
no_advice(const struct status *status UNUSED, char *buf UNUSED, size_t size UNUSED)
{
}

/* ---- pending ---- */

static void
pending_sentence(const struct status *status, char *buf, size_t size)
{
	const struct plan *plan = status->plan;

	snprintf(buf, size, "%zu migration%s pending, next is %s", plan->n_steps,
	    plural(plan->n_steps), plan->steps[0].migration->id);
}

/* The run that finished last, if what it was to do is still to be done. */
static const struct run *
last_apply(const struct status *status)
{
	const struct run *run = status->last_run;

	return run != NULL && run->operation == PLAN_APPLY ? run : NULL;
}

static void
pending_advice(const struct status *status, char *buf, size_t size)
{
	const struct run *run = last_apply(status);

	if (status->database.in_recovery)
		snprintf(buf, size, "this is a standby: apply on the primary");
	else if (status->lock.held && !status->lock.ours)
		snprintf(buf, size,
		    "%s has the lock and may be applying them: GET /wait?for=current waits "
		    "for that; POST /apply waits for the lock and does what is left then",
		    status->lock.holder);
	else if (status->rolled_back != NULL)
		snprintf(buf, size,
		    "%s was rolled back: POST /apply runs it again, or an edit of it",
		    status->rolled_back->id);
	else if (run != NULL && run->outcome == RUN_CANCELLED)
		snprintf(buf, size,
		    "the last run was cancelled: POST /apply goes on from here; "
		    "GET /plan shows what is left");
	else if (run != NULL && run->outcome == RUN_FAILED &&
	    run->err.file[0] == '\0') /* nothing to mend in a file */
		snprintf(buf, size, "%s; then POST /apply",
		    run->err.hint[0] != '\0' ? run->err.hint
					     : "see to what the last run failed of");
	else
		snprintf(buf, size, "POST /apply runs them; GET /plan shows them first");
}

/* ---- failed ---- */

const struct err *
status_error_of(const struct run *parked, const struct plan_item *item)
{
	if (parked == NULL || strcmp(parked->err.migration, item->id) != 0)
		return NULL;
	return &parked->err;
}

static void
failed_sentence(const struct status *status, char *buf, size_t size)
{
	const struct plan_item *item = plan_first(status->plan, MIGRATION_FAILED);
	const struct err *err = status_error_of(status->parked, item);
	char text[ERR_LINE] = "";

	if (err != NULL)
		err_format(err, text, sizeof(text));
	else if (item->row != NULL && item->row->error != NULL)
		snprintf(text, sizeof(text), "%s", item->row->error);
	snprintf(buf, size, "%s failed%s%s", item->id, text[0] != '\0' ? ": " : "", text);
}

/* The file is right where a right is missing, or where no statement of it has failed. */
static void
failed_advice(const struct status *status, char *buf, size_t size)
{
	const struct plan_item *item = plan_first(status->plan, MIGRATION_FAILED);
	const struct err *err = status_error_of(status->parked, item);
	const struct err *question = status_question_of(status, status->phase, item);
	const char *file = item->migration->file;

	if (question != NULL)
		snprintf(buf, size, "%s", question->hint);
	else if (err == NULL)
		snprintf(buf, size, "mend %s, then POST /apply", file);
	else if (err->file[0] == '\0')
		snprintf(buf, size, "%s; then POST /apply",
		    err->hint[0] != '\0' ? err->hint : "see to what has failed");
	else
		snprintf(buf, size,
		    "%smend %s, then POST /apply; GET /runs/%s has the whole error%s%s",
		    err->category == CAT_PERMISSION_DENIED
			? "give the role what it lacks, or "
			: "",
		    file, status->parked->id, err->hint[0] != '\0' ? "; " : "",
		    err->hint);
}

/* ---- in doubt: the question, and what to type for an answer ---- */

static void
in_doubt_sentence(const struct status *status, char *buf, size_t size)
{
	char text[ERR_LINE];

	snprintf(buf, size, "%s is in doubt: %s", status->parked->err.migration,
	    err_format(&status->parked->err, text, sizeof(text)));
}

static void
in_doubt_advice(const struct status *status, char *buf, size_t size)
{
	snprintf(buf, size, "%s", status->parked->err.hint);
}

/* ---- refused ---- */

static void
refused_sentence(const struct status *status, char *buf, size_t size)
{
	err_format(&status->plan->refusal, buf, size);
}

static void
refused_advice(const struct status *status, char *buf, size_t size)
{
	const char *hint = status->plan->refusal.hint;

	snprintf(buf, size, "%s%sGET /plan lists what stands in the way", hint,
	    hint[0] != '\0' ? "; " : "");
}

/* ---- drift ---- */

static void
drift_sentence(const struct status *status, char *buf, size_t size)
{
	const struct plan *plan = status->plan;
	size_t n = plan->counts[MIGRATION_MODIFIED];
	char pending[64] = "";

	if (plan->n_steps > 0)
		snprintf(pending, sizeof(pending), "; %zu pending", plan->n_steps);
	snprintf(buf, size, "%zu applied migration%s changed since, %s%s%s", n,
	    n == 1 ? " was" : "s were", n == 1 ? "" : "the first is ",
	    plan_first(plan, MIGRATION_MODIFIED)->id, pending);
}

static void
drift_advice(const struct status *status, char *buf, size_t size)
{
	const struct plan_item *item = plan_first(status->plan, MIGRATION_MODIFIED);

	snprintf(buf, size,
	    "put %s back as it was applied, and the change into a new migration; "
	    "GET /migrations/%s has both checksums",
	    item->migration->file, item->id);
}

/* ---- unreachable ---- */

/* Whether it is of a phase beside the schema, whose error is that of its table. */
static bool
is_unread(const struct status *status)
{
	bool found = false;

	for (unsigned p = PHASE_DATA; p < PHASE_COUNT; p++)
		found |= status->phases[p].unread != NULL &&
		    status->phases[p].plan == status->plan;
	return found;
}

static void
unreachable_sentence(const struct status *status, char *buf, size_t size)
{
	const struct database_facts *database = &status->database;
	char text[ERR_LINE];

	if (!err_is_set(&database->err))
		snprintf(buf, size, "the database has not been read yet");
	else
		snprintf(buf, size, "%s cannot be %s: %s",
		    is_unread(status) ? "the tracking table" : "the database",
		    database->reachable ? "read" : "reached",
		    err_format(&database->err, text, sizeof(text)));
}

static void
unreachable_advice(const struct status *status, char *buf, size_t size)
{
	const struct database_facts *database = &status->database;

	if (!err_is_set(&database->err))
		return;
	if (database->err.hint[0] != '\0')
		snprintf(buf, size, "%s", database->err.hint);
	else
		snprintf(buf, size, "see that %s; it is tried again by itself",
		    database->reachable
			? "this role may read the tracking table"
			: "the server runs and takes connections from here");
}

/* ---- invalid ---- */

static const struct err *
invalid_error(const struct status *status)
{
	const struct folder_problem *blocker = folder_blocker(status->folder);

	if (blocker != NULL)
		return &blocker->err;
	return plan_first(status->plan, MIGRATION_INVALID)->migration->problem;
}

static void
invalid_sentence(const struct status *status, char *buf, size_t size)
{
	char text[ERR_LINE];

	snprintf(buf, size, "the folder is not right: %s",
	    err_format(invalid_error(status), text, sizeof(text)));
}

static void
invalid_advice(const struct status *status, char *buf, size_t size)
{
	const char *hint = invalid_error(status)->hint;

	snprintf(buf, size, "%s",
	    hint[0] != '\0' ? hint : "mend the file; the folder is read again by itself");
}

static const struct verdict_row {
	const char *name;
	void (*sentence)(const struct status *status, char *buf, size_t size);
	void (*advice)(const struct status *status, char *buf, size_t size);
} verdicts[VERDICT_COUNT] = {
	[VERDICT_CURRENT] = { "current", current_sentence, no_advice },
	/* whose words are those of the verdict on the lenient phase */
	[VERDICT_INCOMPLETE] = { "incomplete", NULL, NULL },
	[VERDICT_PENDING] = { "pending", pending_sentence, pending_advice },
	[VERDICT_FAILED] = { "failed", failed_sentence, failed_advice },
	[VERDICT_IN_DOUBT] = { "in_doubt", in_doubt_sentence, in_doubt_advice },
	[VERDICT_REFUSED] = { "refused", refused_sentence, refused_advice },
	[VERDICT_DRIFT] = { "drift", drift_sentence, drift_advice },
	[VERDICT_UNREACHABLE] = { "unreachable", unreachable_sentence,
	    unreachable_advice },
	[VERDICT_INVALID] = { "invalid", invalid_sentence, invalid_advice },
};

/* On one phase: the one whose folder and plan the status shows. */
static enum verdict
judge_phase(const struct status *status)
{
	const struct plan *plan = status->plan;

	if (folder_blocker(status->folder) != NULL || plan->counts[MIGRATION_INVALID] > 0)
		return VERDICT_INVALID;
	if (!status->database.reachable || err_is_set(&status->database.err) ||
	    !plan->known)
		return VERDICT_UNREACHABLE;
	if (plan->counts[MIGRATION_FAILED] > 0)
		return VERDICT_FAILED;
	if (plan->counts[MIGRATION_IN_DOUBT] > 0)
		return VERDICT_IN_DOUBT;
	if (err_is_set(&plan->refusal))
		return VERDICT_REFUSED;
	if (plan->counts[MIGRATION_MODIFIED] > 0)
		return VERDICT_DRIFT;
	return plan->n_steps > 0 ? VERDICT_PENDING : VERDICT_CURRENT;
}

void
status_judge(const struct status *status, struct judgement *judgement)
{
	struct judgement lenient = { .verdict = VERDICT_CURRENT };

	*judgement = (struct judgement){ .verdict = judge_phase(status), .of = *status };
	for (unsigned p = PHASE_DATA;
	     p < PHASE_COUNT && judgement->verdict == VERDICT_CURRENT; p++) {
		struct judgement next = { .phase = (enum phase)p, .of = *status };

		if (status->phases[p].folder == NULL)
			continue;
		next.of.phase = next.phase;
		next.of.folder = status->phases[p].folder;
		next.of.plan = status->phases[p].plan;
		next.of.parked = status->phases[p].parked;
		if (status->phases[p].unread != NULL)
			next.of.database.err = *status->phases[p].unread;
		next.verdict = judge_phase(&next.of);
		if (next.verdict == VERDICT_CURRENT)
			continue;
		if (!phase_is_lenient(p))
			*judgement = next;
		else
			lenient = next;
	}
	if (judgement->verdict == VERDICT_CURRENT && lenient.verdict != VERDICT_CURRENT)
		*judgement = lenient;
}

enum verdict
status_verdict(const struct status *status)
{
	struct judgement judgement;

	status_judge(status, &judgement);
	return judgement.verdict != VERDICT_CURRENT && phase_is_lenient(judgement.phase)
	    ? VERDICT_INCOMPLETE
	    : judgement.verdict;
}

bool
verdict_is_current(enum verdict verdict)
{
	return verdict == VERDICT_CURRENT || verdict == VERDICT_INCOMPLETE;
}

const struct plan_item *
status_find(const struct status *status, const char *name)
{
	const struct plan_item *item = plan_find(status->plan, name);

	for (unsigned p = PHASE_DATA; p < PHASE_COUNT && item == NULL; p++)
		if (status->phases[p].plan != NULL)
			item = plan_find(status->phases[p].plan, name);
	return item;
}

const char *
verdict_name(enum verdict verdict)
{
	return verdicts[verdict].name;
}

static bool
is_running(const struct status *status)
{
	return status->run != NULL && !run_is_done(status->run);
}

const char *
status_sentence(const struct status *status, char *buf, size_t size)
{
	struct judgement judgement;
	size_t used = 0;

	if (is_running(status)) {
		run_doing_text(status->run, buf, size);
		return buf;
	}
	status_judge(status, &judgement);
	if (judgement.phase != PHASE_SCHEMA)
		used = (size_t)snprintf(buf, size, "%s%s: ",
		    phase_is_lenient(judgement.phase) ? "the schema is current; " : "",
		    phase_name(judgement.phase));
	verdicts[judgement.verdict].sentence(&judgement.of, buf + used, size - used);
	return buf;
}

const char *
status_advice(const struct status *status, char *buf, size_t size)
{
	struct judgement judgement;

	buf[0] = '\0';
	if (is_running(status)) {
		run_doing_advice(status->run, buf, size);
		return buf;
	}
	status_judge(status, &judgement);
	verdicts[judgement.verdict].advice(&judgement.of, buf, size);
	return buf;
}
