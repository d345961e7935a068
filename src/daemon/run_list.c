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
	if (at == BOUND_RUNS_KEPT || run_list_find(list, run->id) != NULL ||
	    (list->n == BOUND_RUNS_KEPT && !run_is_done(list->runs[list->n - 1])))
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
	return run_has_repaired(run, phase, migration);
}

/* What another daemon has in its file of that name does not hide what failed of ours. */
static bool
is_of_our_file(const struct run *run, const struct folder *folder)
{
	const struct migration *m = folder_find(folder, run->err.migration);

	return m == NULL || run->in_doubt ||
	    strcmp(m->checksum, run->failed_checksum) == 0;
}

const struct run *
run_list_parked(
    const struct run_list *list, enum phase phase, const struct folder *folder)
{
	for (size_t i = 0; i < list->n; i++) {
		const struct run *run = list->runs[i];
		size_t newer = 0;

		if (!run_is_done(run) || run->phase != phase ||
		    run->failed_checksum[0] == '\0' || !is_of_our_file(run, folder))
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
run_list_forget(struct run_list *list)
{
	size_t n = 0;

	for (size_t i = 0; i < list->n; i++) {
		if (run_is_done(list->runs[i]))
			run_unref(list->runs[i]);
		else
			list->runs[n++] = list->runs[i];
	}
	list->n = n;
}

void
run_list_clear(struct run_list *list)
{
	while (list->n > 0)
		run_unref(list->runs[--list->n]);
}
