/* SPDX-License-Identifier: PostgreSQL */
#include "core/repair.h"

#include <stdio.h>
#include <string.h>

#include "base/mem.h"

#define REMOVE_GUARD "remove-guard"

const char *const repair_actions[] = { "retry", "applied", "pending", "checksum",
	"forget", REMOVE_GUARD, NULL };

bool
repair_is_of_guard(const char *action)
{
	return action != NULL && strcmp(action, REMOVE_GUARD) == 0;
}

static bool
is_recorded(const struct plan_item *item)
{
	return item->state == MIGRATION_APPLIED || item->state == MIGRATION_BASELINE ||
	    item->state == MIGRATION_MODIFIED;
}

static bool
is_word(const char *action, const char *word)
{
	return strcmp(action, word) == 0;
}

static int
refuse(const struct plan_item *item, struct err *err, const char *text, const char *hint)
{
	err->http_status = 409;
	err->exit_code = EXIT_REFUSED;
	err_set(err, CAT_CONFIGURATION, "%s %s", item->id, text);
	err_hint(err, "%s", hint);
	snprintf(err->migration, sizeof(err->migration), "%s", item->id);
	return -1;
}

int
repair_refuse(const struct plan_item *item, const char *action, struct err *err)
{
	if (is_recorded(item) && is_word(action, "applied"))
		return refuse(item, err,
		    "is recorded already, and nothing of it is in doubt",
		    "GET /status says what stands where");
	err->http_status = 409;
	err->exit_code = EXIT_REFUSED;
	err_set(err, CAT_CONFIGURATION, "nothing of %s is in doubt", item->id);
	err_hint(err,
	    is_recorded(item) ? "it is recorded; GET /status says what stands where"
			      : "to run it, though it failed before: POST /apply");
	return -1;
}

/* A row that no file has. */
static int
decide_missing(
    const struct plan_item *item, const char *action, struct repair *out, struct err *err)
{
	if (!is_word(action, "forget") && !is_word(action, "pending"))
		return refuse(item, err, "is recorded, but has no file",
		    "put the file back, or take the row away with action \"forget\"");
	out->write = PLAN_REMOVE_ROW;
	out->after = "forgotten";
	return 0;
}

static int
decide_recorded(
    const struct plan_item *item, const char *action, struct repair *out, struct err *err)
{
	out->back = true;
	out->asks_first = is_word(action, "retry") || is_word(action, "applied");
	if (is_word(action, "pending")) {
		out->write = PLAN_REMOVE_ROW;
		out->after = migration_state_name(MIGRATION_PENDING);
	} else if (is_word(action, "checksum")) {
		/* where none is recorded, the file is told apart from now on */
		if (item->state != MIGRATION_MODIFIED && item->recorded_checksum != NULL)
			return refuse(item, err, "has the checksum that is recorded",
			    "there is nothing to do: the file is what was applied");
		out->write = PLAN_BLESS_ROW;
		out->after = migration_state_name(MIGRATION_APPLIED);
	} else if (is_word(action, "forget")) {
		return refuse(item, err, "has a file",
		    "\"forget\" is for a row without one; \"pending\" takes this row away, and "
		    "the next POST /apply runs the file again");
	}
	return 0;
}

static int
decide_open(
    const struct plan_item *item, const char *action, struct repair *out, struct err *err)
{
	if (is_word(action, "checksum") || is_word(action, "forget"))
		return refuse(item, err, "is not recorded",
		    "there is no row to change; POST /apply runs it");
	out->asks_first = true;
	if (!is_word(action, "applied"))
		return 0;
	/* of a file that cannot be read nobody knows what the row would say */
	if (item->migration->problem != NULL && item->migration->checksum[0] == '\0') {
		*err = *item->migration->problem;
		return -1;
	}
	out->write = PLAN_ADD_ROW;
	out->after = migration_state_name(MIGRATION_BASELINE);
	return 0;
}

int
repair_decide(const struct plan_item *item, const char *name, const char *action,
    struct repair *out, struct err *err)
{
	*out = (struct repair){ .write = PLAN_KEEP_ROW };
	if (item == NULL || item->state == MIGRATION_UNREGISTERED) {
		err_set(err, CAT_RESOURCE_NOT_FOUND, "there is no migration %s", name);
		err_hint(err, "GET /migrations lists them by id, file and version");
		return -1;
	}
	if (item->state == MIGRATION_MISSING)
		return decide_missing(item, action, out, err);
	return is_recorded(item) ? decide_recorded(item, action, out, err)
				 : decide_open(item, action, out, err);
}

/* Of a row without a file, as much as the run needs to speak of it. */
static const struct migration *
stand_in(struct plan *plan, const struct plan_item *item)
{
	struct migration *m = mem_zero(plan, struct migration);

	m->id = item->id;
	m->version = item->row->key != NULL ? item->row->key : item->id;
	m->name = item->id;
	m->file = "";
	m->text = "";
	return m;
}

void
repair_plan(struct plan *plan, const struct plan_item *item, enum plan_write write)
{
	const struct migration *m =
	    item->migration != NULL ? item->migration : stand_in(plan, item);
	struct history_row *row = mem_zero(plan, struct history_row);

	if (item->row != NULL)
		*row = *item->row;
	plan->steps = mem_zero(plan, struct plan_step);
	plan->steps[0] = (struct plan_step){
		.migration = m,
		.of = m,
		.write = write,
		.commit = true,
		.row = row,
		/* a row without a file is behind all that have one */
		.before = plan_before(
		    plan, item->migration != NULL ? m->position : plan->n_items),
	};
	plan->n_steps = 1;
}
