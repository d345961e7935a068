/* SPDX-License-Identifier: PostgreSQL */
#include "core/plan_judge.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/bounds.h"
#include "base/mem.h"
#include "core/locate.h"

/* ---- ids for a sentence: the first five, and how many more ---- */

static void
list_append(struct plan_list *list, const char *before, const char *id)
{
	size_t used = strlen(list->text);

	snprintf(list->text + used, sizeof(list->text) - used, "%s%.*s", before,
	    (int)BOUND_NAME_BYTES, id);
}

void
plan_list_add(struct plan_list *list, const struct plan_item *item)
{
	if (list->n == 0)
		list->first = item;
	if (list->n++ < PLAN_LISTED)
		list_append(list, list->n > 1 ? ", " : "", item->id);
}

const char *
plan_list_end(struct plan_list *list)
{
	char more[64];

	if (list->n <= PLAN_LISTED)
		return list->text;
	snprintf(more, sizeof(more), " and %zu more", list->n - PLAN_LISTED);
	list_append(list, more, "");
	return list->text;
}

/*
 * The items in that state before position `scope`; those without a migration
 * have no position. Those that may be out of order are not listed as such.
 */
static struct plan_list
list_items(const struct plan_draft *draft, enum migration_state state, size_t scope)
{
	const struct plan *plan = draft->plan;
	struct plan_list list = { 0 };

	for (size_t i = 0; i < plan->n_items; i++) {
		const struct plan_item *item = &plan->items[i];

		if (item->state != state ||
		    (item->migration != NULL && item->migration->position >= scope) ||
		    (state == MIGRATION_OUT_OF_ORDER && draft->may_be_late[i]))
			continue;
		plan_list_add(&list, item);
	}
	plan_list_end(&list);
	return list;
}

/* ---- problems ---- */

/* What the folder says of a file is said of its migration, too. */
static struct plan_problem *
find_listed(const struct plan *plan, const struct err *err)
{
	for (size_t i = 0; i < plan->n_problems; i++) {
		const struct err *other = &plan->problems[i].err;

		if (strcmp(other->file, err->file) == 0 && other->line == err->line &&
		    strcmp(other->text, err->text) == 0)
			return &plan->problems[i];
	}
	return NULL;
}

void
plan_add_problem(struct plan_draft *draft, enum migration_state state, bool blocks,
    const struct err *err)
{
	struct plan *plan = draft->plan;

	if (find_listed(plan, err) != NULL)
		return;
	draft->n_blocking += blocks;
	if (plan->n_problems == BOUND_PLAN_PROBLEMS)
		return;
	plan->problems =
	    mem_grow(plan, plan->problems, struct plan_problem, plan->n_problems + 1);
	plan->problems[plan->n_problems++] =
	    (struct plan_problem){ .state = state, .blocks = blocks, .err = *err };
}

void
plan_name_migration(struct err *err, const struct migration *m)
{
	snprintf(err->migration, sizeof(err->migration), "%s", m->id);
	err_where(err, m->file, 0);
}

static void
add_folder_problems(struct plan_draft *draft, bool blocks)
{
	const struct folder *folder = draft->input->folder;

	for (size_t i = 0; i < folder->n_problems; i++) {
		const struct folder_problem *problem = &folder->problems[i];

		if (problem->blocks == blocks)
			plan_add_problem(draft, problem->state, blocks, &problem->err);
	}
}

static void
judge_target(struct plan_draft *draft)
{
	struct err err = { 0 };

	if (!draft->target_unknown)
		return;
	err_set(&err, CAT_RESOURCE_NOT_FOUND,
	    "there is no migration \"%.*s\" in the folder", (int)BOUND_NAME_BYTES,
	    draft->input->target);
	err_hint(
	    &err, "GET /migrations lists them: an id, a file name or a version will do");
	plan_add_problem(draft, MIGRATION_MISSING, true, &err);
}

/* Over a history a baseline would hide what never ran. */
static void
judge_baseline(struct plan_draft *draft)
{
	struct err err = { .http_status = 409, .exit_code = EXIT_REFUSED };

	if (draft->input->operation != PLAN_BASELINE || draft->input->force ||
	    draft->n_recorded == 0)
		return;
	err_set(&err, CAT_CONFIGURATION,
	    "the tracking table is not empty: %zu row%s of applied migrations",
	    draft->n_recorded, draft->n_recorded == 1 ? "" : "s");
	err_hint(&err,
	    "a baseline is for a database that has the objects and no record of them; "
	    "\"force\": true records what is not recorded yet, without running it");
	plan_add_problem(draft, MIGRATION_APPLIED, true, &err);
}

/* ---- what a file must not do ---- */

/*
 * Up to the last statement that runs alone, the first that sets something for its session:
 * what runs alone is sent by itself, and a pooler may give it another session. NULL: none.
 */
static const struct script_statement *
find_lost_setting(const struct script *script)
{
	size_t n = script->n_segments;

	while (n > 0 && script->segments[n - 1].transactional)
		n--;
	for (size_t i = 0; n > 0 && i <= script->segments[n - 1].first; i++)
		if (script->statements[i].class.sets_session)
			return &script->statements[i];
	return NULL;
}

static void
judge_settings(struct plan_draft *draft, const struct plan_step *step)
{
	const struct script_statement *setting = find_lost_setting(step->script);
	struct err err = { .http_status = 409, .exit_code = EXIT_REFUSED };

	if (setting == NULL)
		return;
	err_set(&err, CAT_CONFIGURATION,
	    "%s sets something for its session, and a statement of it that runs alone may "
	    "get another session from the connection pooler",
	    step->migration->id);
	err_hint(&err,
	    "set database_direct_url to the way past the pooler; or take the SET out, and "
	    "write names with their schema (app.users)");
	snprintf(err.migration, sizeof(err.migration), "%s", step->migration->id);
	locate_statement(step->migration, setting, 0, &err);
	plan_add_problem(draft, MIGRATION_INVALID, true, &err);
}

/*
 * A baseline needs of a file no more than the checksum that goes into the row.
 */
static void
judge_step(struct plan_draft *draft, const struct plan_step *step)
{
	const struct migration *m = step->migration;
	bool baseline = draft->input->operation == PLAN_BASELINE;

	if (m->problem != NULL) {
		if (!baseline || m->checksum[0] == '\0')
			plan_add_problem(draft, MIGRATION_INVALID, true, m->problem);
	} else if (step->script != NULL && step->script->problem != NULL) {
		plan_add_problem(draft, MIGRATION_INVALID, true, step->script->problem);
	} else if (step->script != NULL && draft->input->pooled) {
		judge_settings(draft, step);
	}
}

/*
 * A file in segments commits before and behind each: what was to become visible
 * together does not.
 */
static void
warn_of_split(struct plan_draft *draft)
{
	struct err err = { 0 };

	if (draft->split == NULL)
		return;
	err_set(&err, CAT_CONFIGURATION,
	    "%s cannot be part of one transaction with others", draft->split->id);
	err_hint(&err,
	    "what is before it is committed first, and stays when it fails: it has its "
	    "own BEGIN and COMMIT, or statements that no transaction can hold");
	plan_name_migration(&err, draft->split);
	plan_add_problem(draft, MIGRATION_PENDING, false, &err);
}

/* ---- what the history says ---- */

static void
judge_out_of_order(struct plan_draft *draft)
{
	const struct layout *layout = draft->input->folder->layout;
	enum plan_out_of_order policy = draft->input->policy.out_of_order;
	struct plan_list list = list_items(draft, MIGRATION_OUT_OF_ORDER, draft->scope);
	struct err err = { 0 };

	if (list.n == 0 || draft->input->operation == PLAN_BASELINE ||
	    draft->input->operation == PLAN_ROLLBACK)
		return;
	err_set(&err, CAT_OUT_OF_ORDER,
	    "%zu migration%s not newer than the newest applied, %.*s%s: %s", list.n,
	    list.n == 1 ? " is" : "s are", (int)BOUND_NAME_BYTES, draft->newest_id,
	    policy == OUT_OF_ORDER_SKIP ? ", and left out" : "", list.text);
	plan_name_migration(&err, list.first->migration);
	if (layout != NULL)
		err_hint(&err, "%s", layout->remedy);
	plan_add_problem(
	    draft, MIGRATION_OUT_OF_ORDER, policy == OUT_OF_ORDER_REFUSE, &err);
}

/* The first number in its id; 0: it has none. */
static bool
is_within(const struct plan_range *range, const struct migration *m)
{
	int64_t number = strtoll(m->id + strcspn(m->id, "0123456789"), NULL, 10);

	return number >= range->from && number <= range->to;
}

static void
judge_immutable(struct plan_draft *draft)
{
	const struct plan_range *range = &draft->input->policy.immutable;
	struct plan_list list = { 0 };
	struct err err = { 0 };

	for (size_t i = 0; i < draft->plan->n_items && range->to > 0; i++) {
		const struct plan_item *item = &draft->plan->items[i];

		if (item->state == MIGRATION_MODIFIED &&
		    is_within(range, item->migration))
			plan_list_add(&list, item);
	}
	if (list.n == 0)
		return;
	err_set(&err, CAT_CHECKSUM_MISMATCH,
	    "%zu migration%s changed that must not, by immutable = %lld-%lld: %s", list.n,
	    list.n == 1 ? " was" : "s were", (long long)range->from, (long long)range->to,
	    plan_list_end(&list));
	err_hint(&err,
	    "put the file back as it was applied, and the change into a new migration");
	plan_name_migration(&err, list.first->migration);
	plan_add_problem(
	    draft, MIGRATION_MODIFIED, draft->input->operation == PLAN_APPLY, &err);
}

static void
judge_modified(struct plan_draft *draft)
{
	const struct plan_input *input = draft->input;
	bool blocks = input->operation == PLAN_APPLY &&
	    input->policy.on_modified == ON_MODIFIED_REFUSE;
	struct plan_list list = list_items(draft, MIGRATION_MODIFIED, SIZE_MAX);
	struct err err = { 0 };

	if (list.n == 0)
		return;
	err_set(&err, CAT_CHECKSUM_MISMATCH, "%zu applied migration%s changed since: %s",
	    list.n, list.n == 1 ? " was" : "s were", list.text);
	err_hint(&err,
	    "put the file back as it was applied, and the change into a new migration");
	plan_name_migration(&err, list.first->migration);
	plan_add_problem(draft, MIGRATION_MODIFIED, blocks, &err);
}

static void
warn_of_missing(struct plan_draft *draft)
{
	struct plan_list list = list_items(draft, MIGRATION_MISSING, SIZE_MAX);
	struct err err = { 0 };

	if (list.n == 0 || draft->input->history->key == HISTORY_BY_SECOND)
		return; /* there it is more than a warning */
	err_set(&err, CAT_RESOURCE_NOT_FOUND,
	    "%zu recorded migration%s no file in the folder: %s", list.n,
	    list.n == 1 ? " has" : "s have", list.text);
	err_hint(
	    &err, "right when a newer release has applied them; else put the files back");
	plan_add_problem(draft, MIGRATION_MISSING, false, &err);
}

static void
warn_of_applied_files(struct plan_draft *draft)
{
	for (size_t i = 0; i < draft->plan->n_items; i++) {
		const struct migration *m = draft->plan->items[i].migration;

		if (m != NULL && m->problem != NULL && draft->match->found[i].row != NULL)
			plan_add_problem(draft, MIGRATION_INVALID, false, m->problem);
	}
}

static void
set_refusal(const struct plan_draft *draft)
{
	const struct plan_problem *first = draft->plan->problems;
	struct err *refusal = &draft->plan->refusal;
	size_t len, more;

	if (draft->n_blocking == 0)
		return;
	while (!first->blocks)
		first++;
	*refusal = first->err;
	len = strlen(refusal->text);
	more = draft->n_blocking - 1;
	if (more > 0)
		snprintf(refusal->text + len, sizeof(refusal->text) - len,
		    " (and %zu more problem%s)", more, more == 1 ? "" : "s");
}

void
plan_judge(struct plan_draft *draft)
{
	add_folder_problems(draft, true);
	judge_target(draft);
	judge_baseline(draft);
	for (size_t i = 0; i < draft->plan->n_steps; i++)
		judge_step(draft, &draft->plan->steps[i]);
	judge_out_of_order(draft);
	judge_immutable(draft);
	judge_modified(draft);
	if (draft->input->history != NULL) {
		plan_judge_history(draft);
		warn_of_missing(draft);
		warn_of_applied_files(draft);
	}
	warn_of_split(draft);
	add_folder_problems(draft, false);
	set_refusal(draft);
}
