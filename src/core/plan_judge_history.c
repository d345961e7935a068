/* SPDX-License-Identifier: PostgreSQL */
#include <string.h>

#include "core/elsewhere.h"
#include "core/plan_judge.h"

/*
 * The tracking tables of drizzle-orm 0.x (id, hash, created_at) and 1.0 (name and applied_at
 * besides) bear the same name, and each version runs again what the other recorded: 0.x goes
 * by the newest created_at, which 1.0 cuts to the second; 1.0 goes by the name, which 0.x
 * leaves out.
 */

/* The items that `is` tells. */
typedef bool item_test(const struct plan_draft *draft, const struct plan_item *item);

static struct plan_list
list_those(const struct plan_draft *draft, item_test *is)
{
	struct plan_list list = { 0 };

	for (size_t i = 0; i < draft->plan->n_items; i++)
		if (is(draft, &draft->plan->items[i]))
			plan_list_add(&list, &draft->plan->items[i]);
	plan_list_end(&list);
	return list;
}

/* Nothing has run, and a person has to look. */
static struct err
refusal(void)
{
	return (struct err){ .http_status = 409, .exit_code = EXIT_REFUSED };
}

/* ---- another layout's table ---- */

static void
judge_layout(struct plan_draft *draft, const struct history *history)
{
	const struct layout *layout = draft->input->folder->layout;
	struct err err = refusal();

	if (history->needs_layout == NULL || layout == NULL ||
	    strcmp(history->needs_layout, layout->name) == 0)
		return;
	err_set(&err, CAT_CONFIGURATION,
	    "the tracking table holds what layout %s alone has, and the layout of this "
	    "folder is %s",
	    history->needs_layout, layout->name);
	err_hint(&err, "set tracking = %s, or auto", layout->tracking);
	plan_add_problem(draft, MIGRATION_INVALID, true, &err);
}

/* ---- rows in another table, none in ours ---- */

static void
judge_elsewhere(struct plan_draft *draft, const struct history *history)
{
	const struct folder *folder = draft->input->folder;
	const struct elsewhere_table *table = NULL;
	struct err err = { 0 };

	if (history->elsewhere == NULL || history->n_rows > 0 ||
	    draft->input->operation != PLAN_APPLY || draft->plan->n_steps == 0)
		return;
	table = elsewhere_find(history->elsewhere, folder);
	if (table != NULL)
		elsewhere_refuse(history->elsewhere, table, folder->layout, &err);
	else
		elsewhere_note(history->elsewhere, &err);
	plan_add_problem(draft, MIGRATION_PENDING, table != NULL, &err);
}

/* ---- HISTORY_BY_VERSION: drizzle-orm 0.x ---- */

/*
 * Only a Drizzle table allows NULL there. Its migrator orders by created_at
 * DESC, which sorts NULL first, and takes the NULL for 0.
 */
static void
warn_of_null_keys(struct plan_draft *draft, const struct history *history)
{
	struct err err = { 0 };
	size_t n = 0;

	for (size_t i = 0; i < history->n_rows; i++)
		n += history->rows[i].key == NULL && !history->rows[i].failed;
	if (n == 0)
		return;
	err_set(&err, CAT_SQL_ERROR,
	    "%zu row%s of the tracking table without created_at: drizzle-orm 0.x "
	    "would run all migrations again",
	    n, n == 1 ? "" : "s");
	err_hint(
	    &err, "set created_at to the `when` of its journal entry, or delete the row");
	plan_add_problem(draft, MIGRATION_MISSING, false, &err);
}

bool
plan_row_is_anothers(const struct plan_item *item)
{
	const struct history_row *row = item->row;
	const struct migration *m = item->migration;

	/* a version that is the whole id leaves nothing that could be another */
	return m != NULL && row != NULL && row->key != NULL && !row->covers_older &&
	    row->checksum == NULL && strcmp(m->version, m->id) != 0 &&
	    migration_is_named(m, row->name) == NAMED_OTHER;
}

static bool
is_anothers(const struct plan_draft *draft, const struct plan_item *item)
{
	(void)draft;
	return plan_row_is_anothers(item);
}

/*
 * Two developers took one number, and the file that ran is not the one that stayed. Where it was
 * only renamed nothing is wrong.
 */
static void
warn_of_other_names(struct plan_draft *draft)
{
	struct plan_list list = list_those(draft, is_anothers);
	struct err err = { 0 };

	if (list.n == 0)
		return;
	err_set(&err, CAT_CHECKSUM_MISMATCH,
	    "%zu migration%s as applied by the number alone, recorded with another name, "
	    "%.*s: %s",
	    list.n, list.n == 1 ? " counts" : "s count", (int)BOUND_NAME_BYTES,
	    plan_row_label(list.first->row), list.text);
	err_hint(&err,
	    "a file that was renamed has run: set the name in its row to the new one; another "
	    "one with that number has not: give it a number of its own");
	plan_name_migration(&err, list.first->migration);
	plan_add_problem(draft, MIGRATION_APPLIED, false, &err);
}

/* ---- HISTORY_BY_SECOND: a table of 0.x, and the folder is 1.0's ---- */

static bool
is_missing(const struct plan_draft *draft, const struct plan_item *item)
{
	(void)draft;
	return item->state == MIGRATION_MISSING;
}

/*
 * drizzle-orm 1.0 does not go on either: "we found N migrations in the database that do not
 * match any local migration".
 */
static void
judge_older_table(struct plan_draft *draft)
{
	struct plan_list list = list_those(draft, is_missing);
	struct err err = refusal();

	if (list.n == 0) {
		err_set(&err, CAT_CONFIGURATION,
		    "the tracking table is drizzle-orm 0.x's, this folder is 1.0's: the "
		    "next run upgrades the table, as drizzle-orm 1.0 does");
		err_hint(&err,
		    "from then on drizzle-orm 0.x must not run: it would apply again what "
		    "1.0 has recorded");
		plan_add_problem(draft, MIGRATION_APPLIED, false, &err);
		return;
	}
	err_set(&err, CAT_CONFIGURATION,
	    "the tracking table is drizzle-orm 0.x's and cannot be upgraded: no migration of "
	    "this folder is created_at %s",
	    list.text);
	err_hint(&err,
	    "what ran could run again. Put the folders back that drizzle-kit up made (their "
	    "names begin with the second of created_at), or delete these rows");
	plan_add_problem(draft, MIGRATION_MISSING, true, &err);
}

/* ---- HISTORY_BY_NAME: drizzle-orm 1.0 ---- */

static bool
is_nameless(const struct plan_draft *draft, const struct plan_item *item)
{
	return is_missing(draft, item) && item->row->key == NULL;
}

static bool
is_known_by_text(const struct plan_draft *draft, const struct plan_item *item)
{
	return item->migration != NULL &&
	    draft->match->found[item->migration->position].row != NULL &&
	    item->row->key == NULL;
}

/* drizzle-orm 0.x wrote them, after the table was upgraded. */
static void
judge_nameless(struct plan_draft *draft)
{
	struct plan_list unknown = list_those(draft, is_nameless);
	struct plan_list known = list_those(draft, is_known_by_text);
	struct err err = refusal();

	if (unknown.n > 0) {
		err_set(&err, CAT_CONFIGURATION,
		    "%zu row%s of the tracking table without a name, and no migration "
		    "with that text: %s",
		    unknown.n, unknown.n == 1 ? "" : "s", unknown.text);
		err_hint(&err,
		    "drizzle-orm 0.x has run on this table after its upgrade, and what it "
		    "ran could run again: set the name to that of the folder, or delete "
		    "the row");
		plan_add_problem(draft, MIGRATION_MISSING, true, &err);
	}
	if (known.n == 0)
		return;
	err = refusal();
	err_set(&err, CAT_CONFIGURATION,
	    "%zu row%s of the tracking table without a name, known by the text alone: %s",
	    known.n, known.n == 1 ? "" : "s", known.text);
	err_hint(&err,
	    "drizzle-orm 1.0 would run them again: set the name in the row to that of the "
	    "folder, and see that drizzle-orm 0.x is not run any more");
	plan_name_migration(&err, known.first->migration);
	plan_add_problem(draft, MIGRATION_APPLIED, false, &err);
}

static bool
is_renamed(const struct plan_draft *draft, const struct plan_item *item)
{
	const struct migration *m = item->migration;

	return m != NULL && m->position < draft->scope &&
	    draft->match->found[m->position].row == NULL &&
	    draft->match->found[m->position].renamed != NULL;
}

/*
 * The name is all that drizzle-orm 1.0 looks at: it would run the migration a second time.
 * A baseline only records the new name.
 */
static void
judge_renamed(struct plan_draft *draft)
{
	struct plan_list list = list_those(draft, is_renamed);
	const struct migration *m = NULL;
	struct err err = refusal();

	if (list.n == 0 || draft->input->operation != PLAN_APPLY)
		return;
	m = list.first->migration;
	err_set(&err, CAT_CONFIGURATION,
	    "%zu migration%s the text of what is recorded under another name, %.*s: %s",
	    list.n, list.n == 1 ? " has" : "s have", (int)BOUND_NAME_BYTES,
	    plan_row_label(draft->match->found[m->position].renamed), list.text);
	err_hint(&err,
	    "renamed, it would run a second time: give the folder its old name, or the row "
	    "the new one; if it is to run, change its text (a comment will do)");
	plan_name_migration(&err, m);
	plan_add_problem(draft, MIGRATION_PENDING, true, &err);
}

void
plan_judge_history(struct plan_draft *draft)
{
	const struct history *history = draft->input->history;

	judge_layout(draft, history);
	judge_elsewhere(draft, history);
	if (history->stop != NULL)
		plan_add_problem(draft, MIGRATION_FAILED, true, history->stop);
	switch (history->key) {
	case HISTORY_BY_VERSION:
		warn_of_null_keys(draft, history);
		warn_of_other_names(draft);
		break;
	case HISTORY_BY_FILE:
		break;
	case HISTORY_BY_NAME:
		judge_nameless(draft);
		judge_renamed(draft);
		break;
	case HISTORY_BY_SECOND:
		judge_older_table(draft);
		break;
	}
}
