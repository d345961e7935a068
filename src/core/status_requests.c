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
	case VERDICT_FAILED:
		return apply_request(status, &requests[0]);
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
