/* SPDX-License-Identifier: PostgreSQL */
#include "core/run_wait.h"

#include <stdio.h>
#include <string.h>

#include "base/clock.h"

void
run_wait_clear(struct run *run)
{
	run->n_blockers = 0;
	run->has_progress = false;
	run->n_queued = 0;
	run->wait_event[0] = '\0';
}

bool
run_is_blocked(const struct run *run)
{
	return run->n_blockers > 0;
}

/* ---- progress ---- */

static bool
is_same_phase(const struct run_progress_start *start, const struct run_progress *progress)
{
	/* a count that went back is of another table, or of another partition */
	return start->known && strcmp(start->command, progress->command) == 0 &&
	    strcmp(start->phase, progress->phase) == 0 &&
	    strcmp(start->unit, progress->unit) == 0 && progress->done >= start->done;
}

static void
start_phase(struct run_progress_start *start, const struct run_progress *progress,
    int64_t mono_us)
{
	start->known = true;
	memcpy(start->command, progress->command, sizeof(start->command));
	memcpy(start->phase, progress->phase, sizeof(start->phase));
	memcpy(start->unit, progress->unit, sizeof(start->unit));
	start->done = progress->done;
	start->mono_us = mono_us;
}

void
run_progress_measure(
    struct run_progress *progress, struct run_progress_start *start, int64_t mono_us)
{
	uint64_t left =
	    progress->total > progress->done ? progress->total - progress->done : 0;

	progress->percent = -1;
	progress->rate_per_second = -1;
	progress->eta_seconds = -1;
	if (progress->total > 0)
		/* a table that grew meanwhile: more is done than there was to do */
		progress->percent = left == 0
		    ? 100
		    : 100 * (double)progress->done / (double)progress->total;
	if (!is_same_phase(start, progress)) {
		start_phase(start, progress, mono_us);
		return;
	}
	if (progress->total == 0 || mono_us <= start->mono_us)
		return;
	progress->rate_per_second = (double)(progress->done - start->done) * 1e6 /
	    (double)(mono_us - start->mono_us);
	if (progress->rate_per_second > 0)
		progress->eta_seconds = (double)left / progress->rate_per_second;
}

const struct run_progress *
run_progress_now(const struct run *run)
{
	if (run->batch.on)
		return &run->batch.progress;
	return run->has_progress ? &run->progress : NULL;
}

const char *
run_progress_text(const struct run_progress *progress, char *buf, size_t size)
{
	char percent[32] = "";
	char rate[48] = "";
	char left[48] = "";
	char span[CLOCK_TEXT];

	if (progress->percent >= 0)
		snprintf(percent, sizeof(percent), ", %.1f %%", progress->percent);
	if (progress->rate_per_second >= 1 && progress->rate_per_second < 1e18)
		snprintf(rate, sizeof(rate), ", %.0f %s/s", progress->rate_per_second,
		    progress->unit);
	/* below a year: beyond it the rate says nothing, and the span overflows */
	if (progress->eta_seconds >= 0 && progress->eta_seconds < 3.2e7)
		snprintf(left, sizeof(left), ", %s left",
		    clock_format_span(
			(int64_t)(progress->eta_seconds * 1e6), span, sizeof(span)));
	snprintf(buf, size, "%s%s%s%s%s%s", progress->command,
	    progress->phase[0] != '\0' ? ", " : "", progress->phase, percent, rate, left);
	return buf;
}

/* ---- blockers ---- */

/* Add text with what stands between it and the text before it. */
static void
add(char *buf, size_t size, const char *between, const char *text)
{
	size_t len = strlen(buf);

	if (text[0] != '\0')
		snprintf(buf + len, size - len, "%s%s", len > 0 ? between : "", text);
}

const char *
run_blocker_text(const struct run_blocker *blocker, char *buf, size_t size)
{
	char known[RUN_BLOCKER_TEXT] = "";
	char span[CLOCK_TEXT];

	if (blocker->pid == 0) {
		snprintf(buf, size, "a prepared transaction");
		return buf;
	}
	add(known, sizeof(known), "", blocker->application);
	add(known, sizeof(known), " as ", blocker->user);
	add(known, sizeof(known), ", ", blocker->state);
	if (blocker->state[0] != '\0' && blocker->age_us >= 0)
		add(known, sizeof(known), " for ",
		    clock_format_span(blocker->age_us, span, sizeof(span)));
	snprintf(buf, size, "pid %d%s%s%s", blocker->pid, known[0] != '\0' ? " (" : "",
	    known, known[0] != '\0' ? ")" : "");
	return buf;
}

const char *
run_blocker_remedy(const struct run_blocker *blocker, char *buf, size_t size)
{
	if (blocker->pid == 0)
		snprintf(buf, size,
		    "SELECT gid, owner, prepared FROM pg_prepared_xacts, then "
		    "ROLLBACK PREPARED 'gid'");
	else
		snprintf(buf, size, "SELECT pg_terminate_backend(%d)", blocker->pid);
	return buf;
}

const char *
run_blocked_text(const struct run *run, char *buf, size_t size)
{
	/* CREATE INDEX CONCURRENTLY waits for transactions, whatever they hold */
	bool for_end = strcmp(run->wait_event, "Lock:virtualxid") == 0;
	char who[RUN_BLOCKER_TEXT];
	char others[32] = "";

	if (run->n_blockers > 1)
		snprintf(others, sizeof(others), " and %u more", run->n_blockers - 1);
	run_blocker_text(&run->blockers[0], who, sizeof(who));
	if (for_end)
		snprintf(
		    buf, size, "waiting for the transaction of %s%s to end", who, others);
	else
		snprintf(buf, size, "waiting for a lock that %s%s hold%s", who, others,
		    run->n_blockers > 1 ? "" : "s");
	return buf;
}

/* What the run is about: more exactly than its state where the server tells. */
static const char *
running_text(const struct run *run, char *buf, size_t size)
{
	if (run_is_blocked(run))
		return run_blocked_text(run, buf, size);
	if (run_progress_now(run) != NULL)
		return run_progress_text(run_progress_now(run), buf, size);
	return run_state_sentence(run->state);
}

void
run_doing_text(const struct run *run, char *buf, size_t size)
{
	char text[RUN_BLOCKED_TEXT];
	int len = snprintf(buf, size, "%s in progress: %s",
	    run_operation_name(run->operation), running_text(run, text, sizeof(text)));
	size_t used = (size_t)len < size ? (size_t)len : size;

	if (run->current != NULL)
		snprintf(buf + used, size - used, " (%s, %zu of %zu done)", run->current,
		    run->n_applied, run->n_planned);
	else if (run->state == RUN_LOCK && run->lock_holder != NULL)
		snprintf(buf + used, size - used, " (%s)", run->lock_holder);
}

void
run_doing_advice(const struct run *run, char *buf, size_t size)
{
	char remedy[RUN_REMEDY_TEXT];

	if (run_is_blocked(run))
		snprintf(buf, size,
		    "wait, or end what it waits for: %s; GET /runs/%s follows it, "
		    "POST /runs/%s/cancel ends it",
		    run_blocker_remedy(&run->blockers[0], remedy, sizeof(remedy)),
		    run->id, run->id);
	else
		snprintf(buf, size,
		    "%sGET /runs/%s follows it, POST /runs/%s/cancel ends it",
		    run->state == RUN_LOCK && run->lock_holder != NULL
			? "wait, or look there what that one does; "
			: "",
		    run->id, run->id);
}
