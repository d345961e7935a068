/* SPDX-License-Identifier: PostgreSQL */
#include <stdio.h>

#include "base/mem.h"
#include "core/plan_judge.h"

/*
 * What a rollback would do: the recorded migrations behind some point, the newest first. All
 * of them or none: what stands between two that are undone may lean on either.
 */

/* The range: migrations from that position on, and rows that no file has above the floor. */
struct undo {
	size_t from;
	const struct migration *floor; /* NULL: all */
};

static bool
is_recorded(const struct plan_item *item)
{
	return item->state == MIGRATION_APPLIED || item->state == MIGRATION_BASELINE ||
	    item->state == MIGRATION_MODIFIED || item->state == MIGRATION_MISSING;
}

/* A row of which nobody knows its place may be newer. */
static bool
is_in_range(const struct undo *undo, const struct plan_item *item)
{
	if (!is_recorded(item))
		return false;
	if (item->migration != NULL)
		return item->migration->position >= undo->from;
	return undo->floor == NULL || !item->row->has_order ||
	    item->row->order > undo->floor->order;
}

/* ---- what speaks against it ---- */

static void
refuse(struct plan_draft *draft, const struct plan_list *list, struct err *err)
{
	err->http_status = 409;
	err->exit_code = EXIT_REFUSED;
	if (list != NULL && list->first->migration != NULL)
		plan_name_migration(err, list->first->migration);
	plan_add_problem(
	    draft, list != NULL ? list->first->state : MIGRATION_APPLIED, true, err);
}

static bool
has_no_file(const struct plan_item *item)
{
	return item->state == MIGRATION_MISSING;
}

static bool
was_not_run(const struct plan_item *item)
{
	return item->state == MIGRATION_BASELINE;
}

static bool
has_no_way_back(const struct plan_item *item)
{
	return item->migration != NULL && item->migration->down == NULL;
}

static bool
was_changed(const struct plan_item *item)
{
	return item->state == MIGRATION_MODIFIED;
}

static const struct undo_rule {
	bool (*applies)(const struct plan_item *item);
	bool can_force;
	enum category category;
	const char *text;
	const char *hint;
} rules[] = {
	{ has_no_file, false, CAT_RESOURCE_NOT_FOUND,
	    "recorded without a file, so that nobody knows the way back",
	    "put the files back; or POST /repair (\"forget\") for each, if nothing of it is there "
	    "any more" },
	{ was_not_run, false, CAT_CONFIGURATION,
	    "recorded by a baseline, and never run here",
	    "undo by hand what is there of it, then POST /repair (\"pending\")" },
	{ has_no_way_back, false, CAT_RESOURCE_NOT_FOUND, "without a way back",
	    "write one: comments under the line \"-- ROLLBACK SQL\" at the end of the file, "
	    "or what else its layout has for it (a file .down.sql)" },
	{ plan_row_is_anothers, true, CAT_CHECKSUM_MISMATCH,
	    "recorded with the name of another",
	    "see whether the way back that the file has fits what has run, then send "
	    "\"force\": true with it" },
	{ was_changed, true, CAT_CHECKSUM_MISMATCH, "changed since applied",
	    "see whether the way back that the file has now still fits, then send "
	    "\"force\": true with it" },
};

static void
judge_range(struct plan_draft *draft, const struct undo *undo)
{
	for (size_t i = 0; i < ARRAY_SIZE(rules); i++) {
		const struct undo_rule *rule = &rules[i];
		struct plan_list list = { 0 };
		struct err err = { 0 };

		for (size_t j = 0; j < draft->plan->n_items; j++) {
			const struct plan_item *item = &draft->plan->items[j];

			if (is_in_range(undo, item) && rule->applies(item))
				plan_list_add(&list, item);
		}
		if (list.n == 0 || (rule->can_force && draft->input->force))
			continue;
		plan_list_end(&list);
		err_set(&err, rule->category, "%zu migration%s to undo %s %s: %s", list.n,
		    list.n == 1 ? "" : "s", list.n == 1 ? "is" : "are", rule->text,
		    list.text);
		err_hint(&err, "%s", rule->hint);
		refuse(draft, &list, &err);
	}
}

/* ---- the range ---- */

/* So many of the newest that the folder has. */
static void
find_newest(struct plan_draft *draft, struct undo *undo)
{
	const struct folder *folder = draft->input->folder;
	unsigned left = draft->input->steps;
	struct err err = { 0 };
	size_t i = folder->n_migrations;

	while (left > 0 && i > 0)
		left -= is_recorded(&draft->plan->items[--i]);
	*undo = (struct undo){ i, i > 0 ? folder->migrations[i] : NULL };
	if (left == 0)
		return;
	err_set(&err, CAT_CONFIGURATION, "migrations to undo: %u, not %u",
	    draft->input->steps - left, draft->input->steps);
	err_hint(&err, "to undo all of them, send {\"all\": true}");
	refuse(draft, NULL, &err);
}

/* One alone: what is newer may lean on it. */
static void
find_only(struct plan_draft *draft, const struct migration *m, struct undo *undo)
{
	const struct undo behind = { m->position + 1, m };
	const struct plan_item *item = &draft->plan->items[m->position];
	struct plan_list list = { 0 };
	struct err err = { 0 };

	*undo = (struct undo){ m->position, m };
	for (size_t i = 0; i < draft->plan->n_items; i++)
		if (is_in_range(&behind, &draft->plan->items[i]))
			plan_list_add(&list, &draft->plan->items[i]);
	if (!is_recorded(item)) {
		err_set(&err, CAT_CONFIGURATION, "%s is not applied", m->id);
		plan_name_migration(&err, m);
		refuse(draft, NULL, &err);
	} else if (list.n > 0) {
		err_set(&err, CAT_CONFIGURATION,
		    "%s is not the newest: behind it there is %s", m->id,
		    plan_list_end(&list));
		err_hint(&err,
		    "send {\"to\": ...} with the one before it to undo them all, the "
		    "newest first; \"dry_run\": true shows that");
		refuse(draft, NULL, &err);
	}
}

/* ---- the steps ---- */

const struct migration *
plan_before(const struct plan *plan, size_t position)
{
	while (position-- > 0)
		if (is_recorded(&plan->items[position]) &&
		    plan->items[position].migration != NULL)
			return plan->items[position].migration;
	return NULL;
}

static void
add_step(struct plan_draft *draft, const struct plan_item *item)
{
	struct plan *plan = draft->plan;
	const struct migration *down = item->migration->down;
	struct history_row *row = mem_zero(plan, struct history_row);

	*row = *item->row;
	plan->steps[plan->n_steps++] = (struct plan_step){
		.migration = down,
		.of = item->migration,
		.script = down->problem == NULL
		    ? script_build(plan, down, draft->input->dialect)
		    : NULL,
		.row = row,
		.write = PLAN_REMOVE_ROW,
		.before = plan_before(plan, item->migration->position),
	};
}

void
plan_undo(struct plan_draft *draft, const struct migration *target)
{
	const struct plan_input *input = draft->input;
	struct undo undo = { 0 };

	if (input->steps > 0)
		find_newest(draft, &undo);
	else if (target != NULL && input->only)
		find_only(draft, target, &undo);
	else if (target != NULL)
		undo = (struct undo){ target->position + 1, target };
	judge_range(draft, &undo);
	for (size_t i = input->folder->n_migrations; i-- > undo.from;) {
		const struct plan_item *item = &draft->plan->items[i];

		if (is_recorded(item) && item->migration->down != NULL)
			add_step(draft, item);
	}
}
