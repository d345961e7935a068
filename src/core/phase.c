/* SPDX-License-Identifier: PostgreSQL */
#include "core/phase.h"

#include <string.h>

static const struct phase_row {
	const char *name;
	const char *layout;
	const char *tracking;
	bool lenient;
	enum plan_rerun rerun; /* of what is not said by the configuration */
} rows[PHASE_COUNT] = {
	[PHASE_SCHEMA] = { "schema", NULL, NULL, false, RERUN_NEVER },
	[PHASE_DATA] = { "data", "dated", "data_migrations", true, RERUN_NEVER },
	[PHASE_REPEATABLE] = { "repeatable", "files", "reruns", false, RERUN_CHANGED },
	[PHASE_SEEDS] = { "seeds", "files", "reruns", false, RERUN_CHANGED },
};

const char *
phase_name(size_t phase)
{
	return phase < PHASE_COUNT ? rows[phase].name : NULL;
}

enum phase
phase_find(const char *name)
{
	unsigned phase = 0;

	while (phase < PHASE_COUNT && strcmp(rows[phase].name, name) != 0)
		phase++;
	return (enum phase)phase;
}

const char *
phase_layout(enum phase phase)
{
	return rows[phase].layout;
}

const char *
phase_tracking(enum phase phase)
{
	return rows[phase].tracking;
}

bool
phase_is_lenient(enum phase phase)
{
	return rows[phase].lenient;
}

const struct folder_problem *
phase_blocker(unsigned asked, struct folder *const folders[PHASE_COUNT])
{
	const struct folder_problem *blocker = NULL;

	for (unsigned p = 0; p < PHASE_COUNT && blocker == NULL; p++) {
		if (folders[p] != NULL && !rows[p].lenient && phase_is_asked(asked, p))
			blocker = folder_blocker(folders[p]);
	}
	return blocker;
}

struct plan_policy
phase_policy(enum phase phase, const struct plan_policy *target)
{
	struct plan_policy policy = *target;

	policy.rerun = rows[phase].rerun;
	if (phase == PHASE_SEEDS && target->rerun == RERUN_ALWAYS)
		policy.rerun = RERUN_ALWAYS;
	if (phase == PHASE_SCHEMA)
		return policy;
	/* one file after the other, whatever became of the one before */
	policy.transaction = TRANSACTION_MIGRATION;
	policy.on_modified = ON_MODIFIED_WARN;
	return policy;
}
