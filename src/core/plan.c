/* SPDX-License-Identifier: PostgreSQL */
#include "core/plan.h"

#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "core/plan_judge.h"
#include "core/plan_match.h"

const char *
plan_row_label(const struct history_row *row)
{
	const char *words[] = { row->name, row->key, row->checksum };

	for (size_t i = 0; i < ARRAY_SIZE(words); i++) {
		if (words[i] != NULL && words[i][0] != '\0')
			return words[i];
	}
	return "(row without a name)";
}

/* ---- the newest applied ---- */

/* A folder whose own tool applies what is not recorded, wherever it stands. */
static bool
is_any_order(const struct folder *folder)
{
	return folder->layout != NULL && folder->layout->remedy == NULL;
}

static void
find_newest(struct plan_draft *draft)
{
	const struct history *history = draft->input->history;

	for (size_t i = 0; i < history->n_rows; i++) {
		const struct history_row *row = &history->rows[i];
		const struct migration *m = draft->match->owner[i];
		int64_t order;

		if (row->failed)
			continue;
		draft->n_recorded++;
		draft->n_missing += m == NULL;
		if (!plan_row_order(draft->input->folder, row, m, &order) ||
		    (draft->has_newest && order <= draft->newest))
			continue;
		draft->has_newest = true;
		draft->newest = order;
		draft->newest_id = m != NULL ? m->id : plan_row_label(row);
	}
}

/* ---- states ---- */

static bool
is_name(const char *name, const struct migration *m)
{
	return name != NULL && strcmp(name, m->id) == 0;
}

/* What failed is not what lies there now, once the file was edited. */
static bool
has_failed(const struct plan_input *input, const struct migration *m,
    const struct history_row *row)
{
	const char *checksum = row != NULL ? row->checksum : NULL;

	if (is_name(input->failed, m))
		checksum = input->failed_checksum;
	else if (row == NULL)
		return false;
	return checksum == NULL || strcmp(checksum, m->checksum) == 0;
}

static enum migration_state
recorded_state(const struct plan_found *found)
{
	if (found->modified)
		return MIGRATION_MODIFIED;
	return found->row->baseline ? MIGRATION_BASELINE : MIGRATION_APPLIED;
}

static const char *
recorded_checksum(const struct plan_found *found)
{
	if (found->noted != NULL)
		return found->noted;
	return found->row != NULL ? found->row->checksum : NULL;
}

/* Whether it is done with: what runs again, and is to, is as if it had never run. */
static bool
is_recorded(const struct plan_input *input, const struct plan_found *found)
{
	if (found->row == NULL || input->policy.rerun == RERUN_ALWAYS)
		return false;
	return input->policy.rerun == RERUN_NEVER || !found->modified;
}

/* By the policy, or because the file says so itself. */
static bool
may_be_late(const struct plan_draft *draft, const struct migration *m)
{
	struct directives directives;
	struct err err = { 0 };

	if (draft->input->policy.out_of_order == OUT_OF_ORDER_APPLY)
		return true;
	return directive_read(m->text, m->text_len, &directives, &err) == 0 &&
	    directives.out_of_order;
}

/*
 * Of one that is not recorded. Where it may run in spite of its age, a failure
 * is the greater news.
 */
static enum migration_state
open_state(
    struct plan_draft *draft, const struct migration *m, const struct plan_found *found)
{
	const struct plan_input *input = draft->input;
	bool older = !is_any_order(input->folder) && draft->has_newest &&
	    m->order <= draft->newest;
	bool may_run = older && may_be_late(draft, m);

	draft->may_be_late[m->position] = may_run;
	if (is_name(input->running, m))
		return MIGRATION_RUNNING;
	if (m->problem != NULL)
		return MIGRATION_INVALID;
	if (older && !may_run)
		return MIGRATION_OUT_OF_ORDER;
	if (has_failed(input, m, found->failed))
		return input->in_doubt && is_name(input->failed, m) ? MIGRATION_IN_DOUBT
								    : MIGRATION_FAILED;
	return older ? MIGRATION_OUT_OF_ORDER : MIGRATION_PENDING;
}

/* ---- items ---- */

static void
add_item(struct plan *plan, struct plan_item item)
{
	plan->counts[item.state]++;
	plan->items[plan->n_items++] = item;
}

static void
add_migrations(struct plan_draft *draft)
{
	const struct plan_input *input = draft->input;
	const struct folder *folder = input->folder;
	size_t n_committed = 0;

	for (size_t i = 0; i < folder->n_migrations; i++) {
		const struct migration *m = folder->migrations[i];
		const struct plan_found *found = &draft->match->found[i];
		bool recorded = is_recorded(draft->input, found);
		/* the history may be older than the run in progress */
		bool committed = n_committed < input->n_committed &&
		    strcmp(input->committed[n_committed], m->id) == 0;
		enum migration_state state = recorded ? recorded_state(found)
		    : committed                       ? MIGRATION_APPLIED
						      : open_state(draft, m, found);

		n_committed += committed;
		add_item(draft->plan,
		    (struct plan_item){
			.state = state,
			.migration = m,
			.row = found->row != NULL ? found->row : found->failed,
			.recorded_checksum = recorded_checksum(found),
			.id = m->id,
			.late_allowed = draft->may_be_late[i],
		    });
	}
}

static int
compare_words(const void *left, const void *right)
{
	return strcmp(*(const char *const *)left, *(const char *const *)right);
}

/* What migrations are called, and rows without one by their labels; sorted, `*n` of them. */
static const char **
list_names(const struct plan_draft *draft, size_t *n)
{
	const struct folder *folder = draft->input->folder;
	const struct history *history = draft->input->history;
	const char **names =
	    mem_array(draft->plan, const char *, folder->n_migrations + history->n_rows);

	*n = 0;
	for (size_t i = 0; i < folder->n_migrations; i++)
		names[(*n)++] = folder->migrations[i]->id;
	for (size_t i = 0; i < history->n_rows; i++) {
		if (draft->match->owner[i] == NULL)
			names[(*n)++] = plan_row_label(&history->rows[i]);
	}
	qsort(names, *n, sizeof(*names), compare_words);
	return names;
}

/*
 * The row's label; its key where that is another one's, too: a person who names a row means that
 * one, and none of the other "rollback"s.
 */
static const char *
missing_id(const struct history_row *row, const char *const *names, size_t n)
{
	const char *label = plan_row_label(row);
	const char *const *at = bsearch(&label, names, n, sizeof(*names), compare_words);
	bool shared = at != NULL &&
	    ((at > names && strcmp(at[-1], label) == 0) ||
		(at + 1 < names + n && strcmp(at[1], label) == 0));

	return shared && row->key != NULL && row->key[0] != '\0' ? row->key : label;
}

static void
add_missing(struct plan_draft *draft)
{
	const struct history *history = draft->input->history;
	size_t n = 0;
	const char **names = draft->n_missing > 0 ? list_names(draft, &n) : NULL;

	for (size_t i = 0; i < history->n_rows; i++) {
		const struct history_row *row = &history->rows[i];

		if (draft->match->owner[i] == NULL && !row->failed)
			add_item(draft->plan,
			    (struct plan_item){
				.state = MIGRATION_MISSING,
				.row = row,
				.id = missing_id(row, names, n),
			    });
	}
	talloc_free(names);
}

static void
add_unregistered(struct plan_draft *draft)
{
	const struct folder *folder = draft->input->folder;

	for (size_t i = 0; i < folder->n_unregistered; i++)
		add_item(draft->plan,
		    (struct plan_item){
			.state = MIGRATION_UNREGISTERED,
			.id = folder->unregistered[i],
		    });
}

static void
make_items(struct plan_draft *draft)
{
	const struct folder *folder = draft->input->folder;
	struct plan *plan = draft->plan;

	plan->items = mem_array(plan, struct plan_item,
	    folder->n_migrations + draft->n_missing + folder->n_unregistered);
	draft->may_be_late = mem_array(plan, bool, folder->n_migrations);
	if (draft->match != NULL) {
		add_migrations(draft);
		add_missing(draft);
	}
	add_unregistered(draft);
}

/* ---- steps ---- */

/* The target, where one is named and the folder has it. */
static const struct migration *
find_scope(struct plan_draft *draft)
{
	const struct plan_input *input = draft->input;
	const struct migration *target = NULL;

	draft->scope = input->folder->n_migrations;
	if (input->target == NULL)
		return NULL;
	target = folder_find(input->folder, input->target);
	draft->target_unknown = target == NULL;
	draft->scope = target != NULL ? target->position + 1 : 0;
	return target;
}

static bool
is_step(const struct plan_draft *draft, size_t item)
{
	switch (draft->plan->items[item].state) {
	case MIGRATION_FAILED:
		return !draft->input->spare_failed;
	case MIGRATION_PENDING:
	case MIGRATION_RUNNING:
	case MIGRATION_IN_DOUBT:
	case MIGRATION_INVALID:
		return true;
	case MIGRATION_OUT_OF_ORDER:
		return draft->input->operation == PLAN_BASELINE ||
		    draft->may_be_late[item];
	case MIGRATION_APPLIED:
	case MIGRATION_BASELINE:
	case MIGRATION_MODIFIED:
	case MIGRATION_MISSING:
	case MIGRATION_UNREGISTERED:
	case MIGRATION_STATE_COUNT:
		break;
	}
	return false;
}

static void
make_steps(struct plan_draft *draft, const struct migration *target)
{
	struct plan *plan = draft->plan;

	plan->steps =
	    mem_array(plan, struct plan_step, draft->input->folder->n_migrations);
	if (draft->match == NULL)
		return;
	if (draft->input->operation == PLAN_ROLLBACK) {
		if (!draft->target_unknown)
			plan_undo(draft, target);
		return;
	}
	for (size_t i = 0; i < draft->scope; i++) {
		const struct migration *m = plan->items[i].migration;
		struct plan_step step = { .migration = m, .of = m };

		if (!is_step(draft, i))
			continue;
		if (draft->input->operation == PLAN_APPLY && m->problem == NULL)
			step.script = script_build(plan, m, draft->input->dialect);
		plan->steps[plan->n_steps++] = step;
	}
}

/* A file in segments begins and ends transactions of its own. */
static bool
is_split(const struct plan_step *step)
{
	return step->script != NULL && step->script->problem == NULL &&
	    !step->script->plain;
}

/*
 * A transaction may end where all that comes later is newer than all that came
 * before: else a crash there would leave some of it out of order.
 */
static void
mark_commits(struct plan_draft *draft)
{
	const struct plan_input *input = draft->input;
	struct plan *plan = draft->plan;
	bool together = input->operation == PLAN_BASELINE ||
	    input->policy.transaction == TRANSACTION_RUN;
	/* newest first, none is left out of order */
	bool any_order = is_any_order(input->folder) || input->operation == PLAN_ROLLBACK;
	int64_t *later = mem_array(plan, int64_t, plan->n_steps + 1);
	int64_t highest = INT64_MIN;

	later[plan->n_steps] = INT64_MAX;
	for (size_t i = plan->n_steps; i-- > 0;) {
		int64_t order = plan->steps[i].migration->order;

		later[i] = order < later[i + 1] ? order : later[i + 1];
	}
	for (size_t i = 0; i < plan->n_steps; i++) {
		struct plan_step *step = &plan->steps[i];
		bool last = i + 1 == plan->n_steps;
		const struct plan_step *split = NULL;

		if (step->migration->order > highest)
			highest = step->migration->order;
		step->commit =
		    last || (!together && (any_order || highest < later[i + 1]));
		if (step->commit)
			continue;
		if (is_split(step))
			split = step;
		else if (is_split(step + 1))
			split = step + 1;
		if (split != NULL && draft->split == NULL)
			draft->split = split->migration;
		step->commit = split != NULL;
	}
	talloc_free(later);
}

struct plan *
plan_build(const void *ctx, const struct plan_input *input)
{
	struct plan *plan = mem_zero(ctx, struct plan);
	struct plan_draft draft = { .input = input, .plan = plan };
	const struct migration *target;

	plan->known = input->history != NULL;
	if (plan->known) {
		draft.match = plan_match(plan, input->folder, input->history);
		find_newest(&draft);
	}
	target = find_scope(&draft);
	make_items(&draft);
	make_steps(&draft, target);
	mark_commits(&draft);
	plan_judge(&draft);
	if (err_is_set(&plan->refusal))
		plan->n_steps = 0;
	talloc_free(draft.match);
	talloc_free(draft.may_be_late);
	return plan;
}

const struct plan_item *
plan_first(const struct plan *plan, enum migration_state state)
{
	const struct plan_item *item = plan->items;

	while (item->state != state)
		item++;
	return item;
}

const struct plan_item *
plan_find(const struct plan *plan, const char *name)
{
	const struct plan_item *by_file = NULL;
	const struct plan_item *by_version = NULL;

	for (size_t i = 0; i < plan->n_items; i++) {
		const struct plan_item *item = &plan->items[i];
		const struct migration *m = item->migration;
		const char *version = m != NULL ? m->version : NULL;

		if (m == NULL && item->row != NULL)
			version = item->row->key;
		if (strcmp(item->id, name) == 0)
			return item;
		if (by_file == NULL && m != NULL && strcmp(m->file, name) == 0)
			by_file = item;
		if (by_version == NULL && version != NULL && strcmp(version, name) == 0)
			by_version = item;
	}
	return by_file != NULL ? by_file : by_version;
}
