/* SPDX-License-Identifier: PostgreSQL */
#include <inttypes.h>
#include <string.h>

#include "base/clock.h"
#include "base/mem.h"
#include "core/check_draft.h"
#include "core/plan_match.h"

/* What is the same for all migrations in one state. */
struct state {
	struct check_draft *draft;
	const struct plan *plan;
	/* of what is recorded: the highest order, and where it stands */
	const struct plan_item *newest;
	int64_t newest_order;
	size_t last_position; /* of a recorded migration */
	bool any_recorded;
};

/* ---- what the plan says of a state ---- */

static const struct plan_problem *
find_problem(const struct plan *plan, enum migration_state state)
{
	for (size_t i = 0; i < plan->n_problems; i++) {
		if (plan->problems[i].state == state && plan->problems[i].blocks)
			return &plan->problems[i];
	}
	return NULL;
}

static bool
is_applied(const struct plan_item *item)
{
	return item->row != NULL && !item->row->failed;
}

static void
find_newest(struct state *state)
{
	for (size_t i = 0; i < state->plan->n_items; i++) {
		const struct plan_item *item = &state->plan->items[i];
		const struct migration *m = item->migration;
		int64_t order;

		if (!is_applied(item) ||
		    !plan_row_order(state->draft->folder, item->row, m, &order))
			continue;
		if (state->newest == NULL || order > state->newest_order) {
			state->newest = item;
			state->newest_order = order;
		}
		if (m != NULL &&
		    (!state->any_recorded || m->position > state->last_position)) {
			state->last_position = m->position;
			state->any_recorded = true;
		}
	}
}

/* ---- changed since ---- */

/*
 * Ways in which editors and git change a file and not what it says. What a database has
 * recorded is one of these texts (core/eol.h), if that is all.
 */
static const struct eol_variant {
	bool crlf;
	bool keep_end;   /* its last line end is left as it is */
	const char *end; /* else this stands at the end instead */
	const char *message;
} eol_variants[] = {
	{ false, true, NULL, "it has CRLF line ends, and was applied with LF" },
	{ true, true, NULL, "it has LF line ends, and was applied with CRLF" },
	{ false, false, "", "a newline was added at its end" },
	{ false, false, "\n", "the newline at its end was removed" },
	{ true, false, "", "its line ends are LF, and a newline was added at its end" },
	{ true, false, "\r\n", "its line ends are LF, and the last one was removed" },
};

static const struct eol_variant *
find_variant(const struct check_draft *draft, const struct plan_item *item)
{
	const struct migration *m = item->migration;
	const struct eol *eol = check_reading_eol(draft->input->reading, m);
	bool has_last = m->text_len > 0 && m->text[m->text_len - 1] == '\n';

	for (size_t i = 0; eol != NULL && i < ARRAY_SIZE(eol_variants); i++) {
		const struct eol_variant *v = &eol_variants[i];
		bool last = v->keep_end ? has_last : v->end[0] != '\0';

		if (strcmp(eol_digest(eol, v->crlf, last), item->recorded_checksum) == 0)
			return v;
	}
	return NULL;
}

static void
add_modified(struct state *state, const struct plan_item *item)
{
	struct check_draft *draft = state->draft;
	const struct migration *m = item->migration;
	const struct eol_variant *variant = find_variant(draft, item);
	const char *path = check_path(draft, m->file);
	struct check_finding *f;

	if (variant == NULL) {
		f = check_add(draft, CHECK_MODIFIED,
		    "changed since it was applied: its checksum is %.12s, %.12s is recorded",
		    migration_recorded_checksum(m), item->recorded_checksum);
		check_about(draft, f, m);
		check_remedy(draft, f,
		    "put it back as it was applied (git log -p -- %s shows how), and the "
		    "change into a new migration",
		    path);
		return;
	}
	f = check_add(
	    draft, CHECK_EOL_ONLY, "says what was applied, but %s", variant->message);
	check_about(draft, f, m);
	if (find_problem(state->plan, MIGRATION_MODIFIED) != NULL)
		f->severity = CHECK_ERROR; /* the policy makes no difference */
	check_remedy(draft, f,
	    "put them back, and tell git and the editors to leave them: a line "
	    "\"*.sql -text\" in .gitattributes");
	if (!variant->keep_end)
		check_command(draft, f, "perl -0777 -pi -e 's/\\r?\\n\\z//' %s", path);
	if (variant->crlf)
		check_command(draft, f, "perl -pi -e 's/\\r?\\n/\\r\\n/' %s", path);
	else if (strstr(m->text, "\r\n") != NULL)
		check_command(draft, f, "perl -pi -e 's/\\r\\n/\\n/' %s", path);
	if (!variant->keep_end && variant->end[0] != '\0')
		check_command(draft, f, "printf '%s' >> %s",
		    variant->end[0] == '\r' ? "\\r\\n" : "\\n", path);
}

/* ---- not applied ---- */

static void
add_out_of_order(struct state *state, const struct plan_item *item)
{
	struct check_draft *draft = state->draft;
	const struct layout *layout = draft->folder->layout;
	const struct migration *m = item->migration;
	struct check_finding *f;

	if (layout->by_watermark)
		f = check_add(draft, CHECK_OUT_OF_ORDER,
		    "not applied, and drizzle-orm 0.x %s: its \"when\" %" PRId64
		    " is not above %" PRId64 " of %s, which is applied",
		    state->any_recorded && state->last_position > m->position
			? "has passed it over"
			: "would pass it over",
		    m->order, state->newest_order, state->newest->id);
	else
		f = check_add(draft, CHECK_OUT_OF_ORDER,
		    "not applied, and not newer than %s, which is", state->newest->id);
	check_about_entry(draft, f, m);
	if (item->late_allowed ||
	    find_problem(state->plan, MIGRATION_OUT_OF_ORDER) == NULL)
		f->severity = CHECK_WARNING;
	check_remedy(draft, f, "%s", layout->remedy);
	if (layout->by_watermark)
		check_redo(draft, f, &m, 1);
}

/* A run would stop before it comes to that. */
static bool
is_held(const struct plan *plan)
{
	return err_is_set(&plan->refusal) || plan->counts[MIGRATION_IN_DOUBT] > 0;
}

/* The schema comes first: what is wrong there keeps all phases behind it waiting. */
static const char *
way_to_run(const struct state *state)
{
	const struct status *status = state->draft->input->status;

	if (status->database.in_recovery)
		return "this is a standby: apply on the primary";
	if (is_held(state->plan) || is_held(status->plan))
		return "POST /apply runs it once nothing stands in the way";
	return "POST /apply runs it";
}

static void
add_pending(struct state *state, const struct plan_item *item)
{
	bool running = item->state == MIGRATION_RUNNING;
	struct check_finding *f = check_add(state->draft, CHECK_PENDING, "%s",
	    running                ? "is being applied"
		: is_applied(item) ? "changed since it ran, so it is to run again"
				   : "not applied yet");

	check_about(state->draft, f, item->migration);
	if (!running)
		check_remedy(state->draft, f, "%s", way_to_run(state));
}

/* It stopped a run, by an error or with a question. */
static void
add_stopped(struct state *state, const struct plan_item *item, enum check_kind kind)
{
	struct check_draft *draft = state->draft;
	const struct err *parked = status_error_of(draft->parked, item);
	const struct err *err = parked != NULL
	    ? parked
	    : status_question_of(draft->input->status, draft->phase, item);
	const char *recorded = item->row != NULL ? item->row->error : NULL;
	struct check_finding *f = check_add(draft, kind, "%s: %s",
	    kind == CHECK_FAILED ? "the last run failed here" : "the last run asks",
	    err != NULL            ? err->text
		: recorded != NULL ? recorded
				   : "the tracking table has no more of it");

	check_about(draft, f, item->migration);
	f->line = err != NULL ? err->line : 0;
	if (err != NULL && err->hint[0] != '\0')
		check_remedy(draft, f, "%s", err->hint);
	else
		check_remedy(draft, f, "mend it, then POST /apply");
}

/* ---- recorded, and no file ---- */

static void
add_recorded_only(struct state *state, const struct plan_item *item)
{
	struct check_draft *draft = state->draft;
	const struct tracking_facts *tracking = draft->tracking;
	const struct layout *layout = draft->folder->layout;
	int64_t days;
	struct check_finding *f = check_add(draft, CHECK_RECORDED_ONLY,
	    "recorded in %s, and the folder has no file of it", tracking->table);

	f->migration = mem_strdup(draft->check, item->id);
	check_remedy(draft, f,
	    "right when a newer release has applied it; else put the file back");
	days = (item->row->order - draft->input->now_us / 1000) / INT64_C(86400000);
	if (layout == NULL || !layout->by_watermark || !item->row->has_order || days < 1)
		return;
	f = check_add(draft, CHECK_WHEN_FUTURE,
	    "recorded in %s with a created_at %" PRId64
	    " days ahead: drizzle-orm 0.x passes over all that is generated before",
	    tracking->table, days);
	f->migration = mem_strdup(draft->check, item->id);
	f->severity = CHECK_WARNING;
	check_remedy(draft, f,
	    "find out who wrote it, and set created_at to the time of it: UPDATE %s SET "
	    "created_at = ... WHERE created_at = %" PRId64,
	    tracking->table, item->row->order);
}

/* ---- all of them ---- */

static void
add_item(struct state *state, const struct plan_item *item)
{
	switch (item->state) {
	case MIGRATION_PENDING:
	case MIGRATION_RUNNING:
		add_pending(state, item);
		break;
	case MIGRATION_FAILED:
		add_stopped(state, item, CHECK_FAILED);
		break;
	case MIGRATION_IN_DOUBT:
		add_stopped(state, item, CHECK_IN_DOUBT);
		break;
	case MIGRATION_MODIFIED:
		add_modified(state, item);
		break;
	case MIGRATION_OUT_OF_ORDER:
		add_out_of_order(state, item);
		break;
	case MIGRATION_MISSING:
		add_recorded_only(state, item);
		break;
	case MIGRATION_APPLIED:
	case MIGRATION_BASELINE:
	case MIGRATION_UNREGISTERED: /* the folder's problems tell */
	case MIGRATION_INVALID:
	case MIGRATION_STATE_COUNT:
		break;
	}
}

/* ---- what else the plan says ---- */

/* Told above, one by one and with more than the plan's sentence. */
static bool
is_told(const struct check_draft *draft, const struct plan_problem *problem)
{
	const struct err *err = &problem->err;
	const struct folder *folder = draft->folder;

	if (problem->state == MIGRATION_OUT_OF_ORDER ||
	    problem->state == MIGRATION_MODIFIED ||
	    (problem->state == MIGRATION_MISSING && !problem->blocks &&
		err->category == CAT_RESOURCE_NOT_FOUND))
		return true;
	for (size_t i = 0; i < folder->n_problems; i++) {
		if (strcmp(folder->problems[i].err.text, err->text) == 0 &&
		    strcmp(folder->problems[i].err.file, err->file) == 0)
			return true;
	}
	return check_is_of_file(folder, err);
}

static void
add_plan_problem(struct check_draft *draft, const struct plan_problem *problem)
{
	const struct err *err = &problem->err;
	struct check_finding *f = check_add(
	    draft, problem->blocks ? CHECK_REFUSED : CHECK_NOTICE, "%s", err->text);

	if (err->file[0] != '\0')
		check_at(draft, f, err->file, err->line);
	if (err->migration[0] != '\0')
		f->migration = mem_strdup(draft->check, err->migration);
	if (err->hint[0] != '\0')
		check_remedy(draft, f, "%s", err->hint);
	if (problem->blocks && err_exit_code(err) == EXIT_CONFIGURATION)
		f->exit_code = EXIT_CONFIGURATION;
	if (!problem->blocks && problem->state == MIGRATION_PENDING)
		f->severity = CHECK_NOTE; /* how it will be run, which may be meant */
}

/* ---- the database itself ---- */

static void
add_unread(struct check_draft *draft, const char *cannot, const struct err *err)
{
	struct check_finding *f =
	    check_add(draft, CHECK_UNREACHABLE, "%s: %s", cannot, err->text);

	/* it answered, and our name, password or rights are not right */
	if (err->category == CAT_CONFIGURATION || err->category == CAT_PERMISSION_DENIED)
		f->exit_code = EXIT_CONFIGURATION;
	check_remedy(draft, f, "%s",
	    err->hint[0] != '\0'
		? err->hint
		: "see that the server runs and takes connections from "
		  "here; what it would show of the files is not checked");
}

bool
check_database(struct check_draft *draft)
{
	const struct status *status = draft->input->status;
	const struct database_facts *database = &status->database;

	if (draft->input->files_only)
		return false;
	if (err_is_set(&database->err))
		add_unread(draft,
		    database->reachable ? "the database cannot be read"
					: "the database cannot be reached",
		    &database->err);
	else if (!database->reachable || !status->plan->known)
		check_add(draft, CHECK_UNREACHABLE, "the database has not been read yet");
	else
		return true;
	return false;
}

bool
check_table(struct check_draft *draft)
{
	if (draft->unread == NULL)
		return true;
	add_unread(draft, "the tracking table cannot be read", draft->unread);
	return false;
}

void
check_state(struct check_draft *draft)
{
	struct state state = { .draft = draft, .plan = draft->plan };

	find_newest(&state);
	for (size_t i = 0; i < state.plan->n_items; i++)
		add_item(&state, &state.plan->items[i]);
	for (size_t i = 0; i < state.plan->n_problems; i++) {
		if (!is_told(draft, &state.plan->problems[i]))
			add_plan_problem(draft, &state.plan->problems[i]);
	}
}
