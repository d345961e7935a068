/* SPDX-License-Identifier: PostgreSQL */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/mem.h"
#include "core/check_draft.h"
#include "core/script.h"

#define DAY_MS INT64_C(86400000)

/* A clock may be a little wrong; a day is a mistake in the journal. */
#define FUTURE_MS DAY_MS

/* drizzle-kit's prefixes "timestamp" and "unix" do not count on from idx. */
#define MAX_INDEX_DIGITS 9u

/* ---- files that cannot be run ---- */

static void
add_remedy_of(struct check_draft *draft, struct check_finding *f, const struct err *err)
{
	if (err->hint[0] != '\0')
		check_remedy(draft, f, "%s", err->hint);
}

static void
add_file_problem(struct check_draft *draft, const struct migration *m)
{
	const struct err *err = m->problem;
	struct check_finding *f;

	if (err->category == CAT_RESOURCE_NOT_FOUND) {
		f = check_add(draft, CHECK_FILE_MISSING, "%s: %s", m->file, err->text);
		check_about_entry(draft, f, m);
	} else {
		f = check_add(draft, CHECK_FILE_INVALID, "%s", err->text);
		check_about(draft, f, m);
		f->line = err->line;
	}
	add_remedy_of(draft, f, err);
}

/*
 * What script_build says against it. A plan that knows has told of those it would run;
 * without one, whether it still has to run is not known.
 */
static void
add_script_problem(struct check_draft *draft, const struct migration *m)
{
	struct script *script =
	    script_build(draft->scratch, m, draft->input->status->database.dialect);
	struct check_finding *f;

	if (script->problem != NULL) {
		f = check_add(draft, CHECK_FILE_INVALID, "%s", script->problem->text);
		check_about(draft, f, m);
		f->line = script->problem->line;
		f->severity = CHECK_WARNING;
		add_remedy_of(draft, f, script->problem);
	}
	talloc_free(script);
}

static void
look_at_migrations(struct check_draft *draft)
{
	for (size_t i = 0; i < draft->folder->n_migrations; i++) {
		const struct migration *m = draft->folder->migrations[i];

		if (m->problem != NULL)
			add_file_problem(draft, m);
		else if (draft->items[i] == NULL)
			add_script_problem(draft, m);
	}
}

/* ---- problems of the folder ---- */

bool
check_is_of_file(const struct folder *folder, const struct err *err)
{
	for (size_t i = 0; i < folder->n_migrations; i++) {
		const struct err *own = folder->migrations[i]->problem;

		if (own != NULL && strcmp(own->text, err->text) == 0 &&
		    strcmp(own->file, err->file) == 0)
			return true;
	}
	return false;
}

static void
add_folder_problem(struct check_draft *draft, const struct folder_problem *problem)
{
	const struct err *err = &problem->err;
	enum check_kind kind =
	    problem->state == MIGRATION_UNREGISTERED ? CHECK_UNREGISTERED : CHECK_FOLDER;
	struct check_finding *f = check_add(draft, kind, "%s", err->text);

	if (err->file[0] != '\0')
		check_at(draft, f, err->file, err->line);
	add_remedy_of(draft, f, err);
	if (!problem->blocks)
		f->severity = CHECK_WARNING;
	else if (err_exit_code(err) == EXIT_CONFIGURATION)
		f->exit_code = EXIT_CONFIGURATION;
}

static void
look_at_folder(struct check_draft *draft)
{
	const struct folder *folder = draft->folder;
	struct check_finding *f;

	for (size_t i = 0; i < folder->n_problems; i++) {
		if (!check_is_of_file(folder, &folder->problems[i].err))
			add_folder_problem(draft, &folder->problems[i]);
	}
	if (folder->n_problems_dropped > 0) {
		f = check_add(draft, CHECK_FOLDER,
		    "%zu more problems of the folder are not listed",
		    folder->n_problems_dropped);
		f->severity = CHECK_WARNING;
	}
}

/* ---- the list against itself ---- */

/* Already applied here: other databases may still stumble over it, this one does not. */
static void
soften_when_recorded(
    struct check_draft *draft, struct check_finding *f, const struct migration *m)
{
	if (check_is_recorded(draft, m))
		f->severity = CHECK_NOTE;
}

static bool
is_out_of_order(const struct check_draft *draft, const struct migration *m)
{
	const struct plan_item *item = draft->items[m->position];

	return item != NULL && item->state == MIGRATION_OUT_OF_ORDER;
}

/*
 * Above all before it, and what was advised for one of them: all the commands are pasted.
 * Where none before it is right, that is `first_ms`.
 */
static int64_t
advise_when(const struct migration *highest, int64_t first_ms, int64_t *advised)
{
	int64_t better = highest != NULL ? highest->order + 1 : first_ms;

	if (better <= *advised)
		better = *advised + 1;
	*advised = better;
	return better;
}

static void
edit_when(struct check_draft *draft, struct check_finding *f, const struct migration *m,
    int64_t better)
{
	check_edit_list(draft, f, "(.entries[] | select(.tag == \"%s\")).when = %" PRId64,
	    m->id, better);
}

/*
 * drizzle-orm 0.45 runs an entry only when its `when` is above the highest created_at
 * recorded, and says nothing of the others; drizzle-kit 0.31.11 warns of it.
 */
static void
add_when_order(struct check_draft *draft, const struct migration *highest,
    const struct migration *m, int64_t *advised)
{
	bool equal = m->order == highest->order;
	struct check_finding *f;

	if (equal)
		f = check_add(draft, CHECK_DUPLICATE,
		    "has the same \"when\" as %s, %" PRId64
		    ": drizzle-orm 0.x passes it over once that is applied",
		    highest->id, m->order);
	else
		f = check_add(draft, CHECK_WHEN_ORDER,
		    "its \"when\" %" PRId64 " is not above that of %s before it, %" PRId64
		    ": drizzle-orm 0.x passes it over once that is applied",
		    m->order, highest->id, highest->order);
	check_about_entry(draft, f, m);
	soften_when_recorded(draft, f, m);
	if (f->severity == CHECK_NOTE)
		return;
	check_remedy(draft, f,
	    "give it a \"when\" above all before it, as long as it is applied nowhere");
	edit_when(draft, f, m, advise_when(highest, 0, advised));
}

/* Right as it is, but not once what is advised for one before it is done. */
static void
add_when_in_the_way(
    struct check_draft *draft, const struct migration *m, int64_t *advised)
{
	struct check_finding *f = check_add(draft, CHECK_WHEN_ORDER,
	    "its \"when\" %" PRId64 " leaves no room for that advised for one before it",
	    m->order);

	check_about_entry(draft, f, m);
	f->severity = CHECK_NOTE;
	check_remedy(draft, f,
	    "with that, give it one above, too, as long as it is applied nowhere");
	edit_when(draft, f, m, advise_when(m, 0, advised));
}

static void
add_when_future(
    struct check_draft *draft, const struct migration *m, int64_t now_ms, int64_t better)
{
	char day[CLOCK_TEXT];
	struct check_finding *f;

	/* "2030-01-01" */
	snprintf(day, sizeof(day), "%.10s",
	    clock_format(m->order > INT64_MAX / 1000 ? INT64_MAX : m->order * 1000,
		(char[CLOCK_TEXT]){ 0 }, CLOCK_TEXT));
	f = check_add(draft, CHECK_WHEN_FUTURE,
	    "its \"when\" lies %" PRId64
	    " days ahead, at %s: once it is applied, drizzle-orm 0.x passes over all "
	    "that is generated before that day",
	    (m->order - now_ms) / DAY_MS, day);
	check_about_entry(draft, f, m);
	if (check_is_recorded(draft, m)) {
		f->severity = CHECK_WARNING;
		check_remedy(draft, f,
		    "set it back in the journal and, in each database, in the row: "
		    "UPDATE %s SET created_at = %" PRId64 " WHERE created_at = %" PRId64,
		    draft->tracking->table, better, m->order);
	} else {
		check_remedy(draft, f, "set it back, as long as it is applied nowhere");
	}
	edit_when(draft, f, m, better);
}

/* For what no right one stands before: now, or below the first that is right. */
static int64_t
first_when(const struct folder *folder, int64_t now_ms)
{
	for (size_t i = 0; i < folder->n_migrations; i++) {
		int64_t order = folder->migrations[i]->order;

		if (order <= now_ms + FUTURE_MS)
			return order - (int64_t)i < now_ms ? order - (int64_t)i : now_ms;
	}
	return now_ms;
}

/* Of one that is not from the future. */
static void
look_at_order(struct check_draft *draft, const struct migration *highest,
    const struct migration *m, int64_t *advised)
{
	if (is_out_of_order(draft, m)) /* that it is passed over here is told there */
		return;
	if (highest != NULL && m->order <= highest->order)
		add_when_order(draft, highest, m, advised);
	else if (m->order <= *advised && !check_is_recorded(draft, m))
		add_when_in_the_way(draft, m, advised);
}

static void
look_at_when(struct check_draft *draft)
{
	const struct folder *folder = draft->folder;
	int64_t now_ms = draft->input->now_us / 1000;
	const struct migration *highest = NULL;
	int64_t first_ms = first_when(folder, now_ms);
	int64_t advised = INT64_MIN;

	if (folder->layout == NULL || !folder->layout->by_watermark)
		return;
	for (size_t i = 0; i < folder->n_migrations; i++) {
		const struct migration *m = folder->migrations[i];

		if (m->order > now_ms + FUTURE_MS) {
			add_when_future(
			    draft, m, now_ms, advise_when(highest, first_ms, &advised));
			continue; /* what is behind it is not to be called wrong */
		}
		look_at_order(draft, highest, m, &advised);
		if (highest == NULL || m->order > highest->order)
			highest = m;
	}
}

/* ---- the numbers of the list ---- */

static int
compare_index(const void *a, const void *b)
{
	const struct migration *x = *(const struct migration *const *)a;
	const struct migration *y = *(const struct migration *const *)b;

	if (x->listing.index != y->listing.index)
		return x->listing.index < y->listing.index ? -1 : 1;
	return (x->position > y->position) - (x->position < y->position);
}

/*
 * drizzle-kit counts on from the idx of the last entry and names file and snapshot by it:
 * with a number twice the next one may write over a snapshot that is there.
 */
static void
add_twin_index(struct check_draft *draft, const struct migration *first,
    const struct migration *second)
{
	size_t digits = strspn(second->id, "0123456789");
	struct check_finding *f = check_add(draft, CHECK_DUPLICATE,
	    "has the same \"idx\" as %s, %" PRId64, first->id, second->listing.index);

	check_about_entry(draft, f, second);
	if (digits == 0 || digits > MAX_INDEX_DIGITS)
		f->severity = CHECK_NOTE;
	check_remedy(draft, f,
	    "number the entries 0, 1, 2 ...: drizzle-kit counts on from the last one, and "
	    "names the next file and snapshot by it");
	check_edit_list(draft, f, ".entries |= [to_entries[] | .value + {idx: .key}]");
}

static void
look_at_indexes(struct check_draft *draft)
{
	const struct folder *folder = draft->folder;
	const struct migration **sorted =
	    mem_array(draft->scratch, const struct migration *, folder->n_migrations);
	size_t n = 0;

	for (size_t i = 0; i < folder->n_migrations; i++) {
		if (folder->migrations[i]->listing.has_index)
			sorted[n++] = folder->migrations[i];
	}
	qsort(sorted, n, sizeof(*sorted), compare_index);
	for (size_t i = 1; i < n; i++) {
		const struct snapshot *s = draft->snapshots[sorted[i]->position];

		if (sorted[i]->listing.index != sorted[i - 1]->listing.index)
			continue;
		/* two branches that took one number: told as a fork */
		if (s == NULL || s != draft->snapshots[sorted[i - 1]->position])
			add_twin_index(draft, sorted[i - 1], sorted[i]);
	}
}

void
check_files(struct check_draft *draft)
{
	look_at_migrations(draft);
	look_at_folder(draft);
	look_at_when(draft);
	look_at_indexes(draft);
}
