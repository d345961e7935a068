/* SPDX-License-Identifier: PostgreSQL */
#include <stdio.h>
#include <string.h>

#include "base/macros.h"
#include "core/status.h"

/* How each is told from the others: one alone would be sent without a look at the database. */
static const struct {
	const char *action;
	const char *when;
} answers[STATUS_REQUESTS] = {
	{ "applied", "the statement ran, or nothing of it is left to do" },
	{ "retry", "it did not: it is sent again" },
	{ "pending", "the file is to begin anew" },
};

static bool
has_word(const char *words, const char *word)
{
	for (size_t len; *words; words += len, words += *words == ' ') {
		len = strcspn(words, " ");
		if (len == strlen(word) && strncmp(words, word, len) == 0)
			return true;
	}
	return false;
}

size_t
status_answers(const struct err *err, struct status_request requests[STATUS_REQUESTS])
{
	size_t n = 0;

	for (size_t i = 0; i < ARRAY_SIZE(answers); i++) {
		if (!has_word(err->answers, answers[i].action))
			continue;
		requests[n] = (struct status_request){
			.migration = err->migration,
			.action = answers[i].action,
			.phase = err->phase,
			.when = answers[i].when,
		};
		snprintf(requests[n].path, sizeof(requests[n].path), "/repair");
		n++;
	}
	return n;
}

static size_t
apply_request(const struct status *status, struct status_request *request)
{
	if (status->database.in_recovery)
		return 0;
	snprintf(request->path, sizeof(request->path), "/apply");
	return 1;
}

static const struct err *
failure_of(const struct run_phase *phase, const char *id)
{
	for (size_t i = 0; i < phase->n_failures; i++)
		if (strcmp(phase->failures[i].migration, id) == 0)
			return &phase->failures[i];
	return NULL;
}

const struct err *
status_question_of(
    const struct status *status, enum phase phase, const struct plan_item *item)
{
	const struct err *err = NULL;

	for (size_t i = 0; i < status->n_runs && err == NULL; i++) {
		if (run_has_repaired(status->runs[i], phase, item->id))
			return NULL;
		err = failure_of(&status->runs[i]->phases[phase], item->id);
	}
	return err != NULL && err->answers[0] != '\0' ? err : NULL;
}

/* Another try, unless that would ask again. */
static size_t
failed_requests(
    const struct status *status, struct status_request requests[STATUS_REQUESTS])
{
	const struct err *question = status_question_of(
	    status, status->phase, plan_first(status->plan, MIGRATION_FAILED));

	return question != NULL ? status_answers(question, requests)
				: apply_request(status, &requests[0]);
}

static size_t
cancel_request(const struct run *run, struct status_request *request)
{
	snprintf(request->path, sizeof(request->path), "/runs/%s/cancel", run->id);
	return 1;
}

size_t
status_requests(
    const struct status *status, struct status_request requests[STATUS_REQUESTS])
{
	struct judgement judgement;

	requests[0] = (struct status_request){ .when = NULL };
	if (status->run != NULL && !run_is_done(status->run))
		return cancel_request(status->run, &requests[0]);
	status_judge(status, &judgement);
	switch (judgement.verdict) {
	case VERDICT_PENDING:
		return apply_request(status, &requests[0]);
	case VERDICT_FAILED:
		return failed_requests(&judgement.of, requests);
	case VERDICT_IN_DOUBT:
		return status_answers(&judgement.of.parked->err, requests);
	case VERDICT_CURRENT:
	case VERDICT_REFUSED:
	case VERDICT_DRIFT:
	case VERDICT_UNREACHABLE:
	case VERDICT_INVALID:
	case VERDICT_INCOMPLETE:
	case VERDICT_COUNT:
		break;
	}
	return 0;
}

static bool
is_stopped(const struct plan_item *item)
{
	return item->state == MIGRATION_FAILED || item->state == MIGRATION_IN_DOUBT;
}

static bool
is_one(unsigned set)
{
	return set != 0 && (set & (set - 1)) == 0;
}

/* The row of one must not be taken for that of another: nobody would see which was meant. */
static int
refuse_ambiguous(const char *name, unsigned phases, struct err *err)
{
	const char *last = "";
	char list[64] = "";
	size_t len = 0;

	for (unsigned p = 0; p < PHASE_COUNT; p++) {
		if (!(phases & PHASE_BIT(p)))
			continue;
		last = phase_name(p);
		len += (size_t)snprintf(
		    list + len, sizeof(list) - len, "%s%s", len > 0 ? ", " : "", last);
	}
	err->http_status = 409;
	err_set(err, CAT_CONFIGURATION, "more than one phase has a migration %s: %s",
	    name, list);
	err_hint(err,
	    "say which: \"phase\": \"%s\" in the body, or --phase %s of migrationctl repair",
	    last, last);
	return -1;
}

int
status_choose_phase(
    const struct status *status, const char *name, unsigned *phases, struct err *err)
{
	unsigned found = 0;
	unsigned stopped = 0;

	for (unsigned p = 0; p < PHASE_COUNT; p++) {
		const struct plan *plan =
		    p == PHASE_SCHEMA ? status->plan : status->phases[p].plan;
		const struct plan_item *item =
		    plan != NULL ? plan_find(plan, name) : NULL;

		if (item == NULL)
			continue;
		found |= PHASE_BIT(p);
		if (is_stopped(item))
			stopped |= PHASE_BIT(p);
	}
	*phases = 0;
	if (found == 0 || is_one(found))
		return 0;
	if (!is_one(stopped))
		return refuse_ambiguous(name, found, err);
	*phases = stopped;
	return 0;
}
