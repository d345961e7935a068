/* SPDX-License-Identifier: PostgreSQL */
#include <stdio.h>

#include "core/status.h"

static size_t
apply_commands(const struct status *status, struct status_command *commands)
{
	if (status->database.in_recovery)
		return 0;
	snprintf(commands[0].path, sizeof(commands[0].path), "/apply");
	return 1;
}

static size_t
cancel_commands(const struct run *run, struct status_command *commands)
{
	snprintf(commands[0].path, sizeof(commands[0].path), "/runs/%s/cancel", run->id);
	return 1;
}

/* All three, each with its case: one alone would be typed without a look at the database. */
static size_t
doubt_commands(const struct status *status, struct status_command *commands)
{
	static const struct {
		const char *action;
		const char *when;
	} answers[] = {
		{ "applied", "the statement ran; then apply" },
		{ "retry", "it did not: it is sent again; then apply" },
		{ "pending", "the file is to begin anew" },
	};

	for (size_t i = 0; i < ARRAY_SIZE(answers); i++) {
		struct status_command *command = &commands[i];

		snprintf(command->path, sizeof(command->path), "/repair");
		snprintf(command->body, sizeof(command->body),
		    "{\"migration\": \"%s\", \"action\": \"%s\"}",
		    status->parked->err.migration, answers[i].action);
		command->when = answers[i].when;
	}
	return ARRAY_SIZE(answers);
}

size_t
status_commands(
    const struct status *status, struct status_command commands[STATUS_COMMANDS])
{
	for (size_t i = 0; i < STATUS_COMMANDS; i++)
		commands[i] = (struct status_command){ .when = NULL };
	if (status->run != NULL && !run_is_done(status->run))
		return cancel_commands(status->run, commands);
	switch (status_verdict(status)) {
	case VERDICT_INCOMPLETE:
	case VERDICT_PENDING:
	case VERDICT_FAILED:
		return apply_commands(status, commands);
	case VERDICT_IN_DOUBT:
		return doubt_commands(status, commands);
	case VERDICT_CURRENT:
	case VERDICT_REFUSED:
	case VERDICT_DRIFT:
	case VERDICT_UNREACHABLE:
	case VERDICT_INVALID:
	case VERDICT_COUNT:
		break;
	}
	return 0;
}
