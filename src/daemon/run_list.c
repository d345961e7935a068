/* SPDX-License-Identifier: PostgreSQL */
#include "daemon/run_list.h"

#include <string.h>

/* The last one goes where there is no room. Takes the reference over. */
static void
insert(struct run_list *list, size_t at, struct run *run)
{
	if (list->n == BOUND_RUNS_KEPT)
		run_unref(list->runs[--list->n]);
	memmove(
	    list->runs + at + 1, list->runs + at, (list->n - at) * sizeof(list->runs[0]));
	list->runs[at] = run;
	list->n++;
}

void
run_list_add(struct run_list *list, struct run *run)
{
	if (list->n > 0)
		digest_uuid7_behind(list->runs[0]->id, run->id);
	insert(list, 0, run_ref(run));
}

void
run_list_add_known(struct run_list *list, struct run *run)
{
	size_t at = 0;

	while (at < list->n && strcmp(list->runs[at]->id, run->id) > 0)
		at++;
	/* not there alone: who has written an id by hand may have upset the order */
	if (at == BOUND_RUNS_KEPT || run_list_find(list, run->id) != NULL)
		run_unref(run);
	else
		insert(list, at, run);
}

struct run *
run_list_find(const struct run_list *list, const char *id)
{
	for (size_t i = 0; i < list->n; i++)
		if (strcmp(list->runs[i]->id, id) == 0)
			return list->runs[i];
	return NULL;
}

/* Whether the migration's failure is history: it was applied, or a person decided. */
static bool
settles(const struct run *run, enum phase phase, const char *migration)
{
	for (size_t i = 0; i < run->n_applied; i++)
		if (run->applied[i].phase == phase &&
		    strcmp(run->applied[i].id, migration) == 0)
			return true; /* or rolled back: then it had been applied */
	return run->operation == PLAN_REPAIR && run->outcome == RUN_SUCCEEDED &&
	    run->phase == phase && run->up_to != NULL &&
	    strcmp(run->up_to, migration) == 0;
}

const struct run *
run_list_parked(const struct run_list *list, enum phase phase)
{
	for (size_t i = 0; i < list->n; i++) {
		const struct run *run = list->runs[i];
		size_t newer = 0;

		if (!run_is_done(run) || run->phase != phase ||
		    run->failed_checksum[0] == '\0')
			continue;
		while (
		    newer < i && !settles(list->runs[newer], phase, run->err.migration))
			newer++;
		if (newer == i)
			return run;
	}
	return NULL;
}

const struct run *
run_list_rolled_back(
    const struct run_list *list, const char *migration, const char *checksum)
{
	for (size_t i = 0; i < list->n; i++) {
		const struct run *run = list->runs[i];

		for (size_t j = 0; j < run->n_applied; j++) {
			const struct run_migration *m = &run->applied[j];

			if (m->phase != PHASE_SCHEMA || strcmp(m->id, migration) != 0)
				continue;
			return run->operation == PLAN_ROLLBACK &&
				strcmp(m->checksum, checksum) == 0
			    ? run
			    : NULL;
		}
	}
	return NULL;
}

bool
run_list_has_rollback(const struct run_list *list)
{
	for (size_t i = 0; i < list->n; i++)
		if (list->runs[i]->operation == PLAN_ROLLBACK)
			return true;
	return false;
}

const struct run *
run_list_last_finished(const struct run_list *list)
{
	for (size_t i = 0; i < list->n; i++)
		if (run_is_done(list->runs[i]))
			return list->runs[i];
	return NULL;
}

void
run_list_clear(struct run_list *list)
{
	while (list->n > 0)
		run_unref(list->runs[--list->n]);
}
