/* SPDX-License-Identifier: PostgreSQL */
#include "base/mem.h"
#include "core/check_chain.h"
#include "core/check_draft.h"

static void
look_at_invalid(struct check_draft *draft)
{
	const struct snapshot_list *list = draft->list;

	for (size_t i = 0; i < list->n; i++) {
		const struct err *problem = list->snapshots[i].problem;
		struct check_finding *f;

		if (problem == NULL)
			continue;
		f = check_add(draft, CHECK_SNAPSHOT_INVALID, "%s", problem->text);
		check_at(draft, f, list->snapshots[i].file, problem->line);
		check_remedy(draft, f,
		    "take it from the commit that added it (git log -- %s); after a merge, "
		    "generate your own migration again",
		    check_path(draft, list->snapshots[i].file));
	}
}

/* Returns how many are missing. */
static size_t
look_at_missing(struct check_draft *draft)
{
	const struct folder *folder = draft->folder;
	bool none = draft->list->n == 0;
	size_t n = 0;

	for (size_t i = 0; i < folder->n_migrations; i++) {
		const struct migration *m = folder->migrations[i];
		const char *file = folder->layout->snapshot_file(draft->scratch, m);
		struct check_finding *f;

		if (file == NULL || draft->snapshots[i] != NULL || (n++ > 0 && none))
			continue;
		if (none) {
			f = check_add(draft, CHECK_SNAPSHOT_MISSING,
			    "the folder holds no snapshots: running migrations needs none, "
			    "drizzle-kit generate and up do");
		} else {
			f = check_add(draft, CHECK_SNAPSHOT_MISSING,
			    "its snapshot %s is not there: running it needs none, "
			    "drizzle-kit generate and up do",
			    file);
			check_about_entry(draft, f, m);
		}
	}
	return n;
}

/* drizzle-kit 0.31 generates nothing while one is older than it writes itself. */
static void
look_at_versions(struct check_draft *draft)
{
	const struct snapshot_list *list = draft->list;
	const struct snapshot *older = NULL;
	unsigned newest = 0;
	size_t n = 0;
	struct check_finding *f;

	for (size_t i = 0; i < list->n; i++) {
		if (list->snapshots[i].version > newest)
			newest = list->snapshots[i].version;
	}
	for (size_t i = 0; i < list->n; i++) {
		if (list->snapshots[i].problem != NULL ||
		    list->snapshots[i].version == newest)
			continue;
		older = &list->snapshots[i];
		n++;
	}
	if (older == NULL)
		return;
	f = check_add(draft, CHECK_SNAPSHOT_VERSION,
	    "%zu snapshot%s of an older version than %u, the newest; this is the last", n,
	    n == 1 ? " is" : "s are", newest);
	check_at(draft, f, older->file, 0);
	check_remedy(draft, f, "drizzle-kit generates nothing until they are alike");
	check_command(draft, f, "npx drizzle-kit up");
}

void
check_snapshots(struct check_draft *draft)
{
	bool complete;

	/* a list that cannot be read says nothing of whose they are */
	if (draft->list == NULL || draft->folder->n_migrations == 0)
		return;
	look_at_invalid(draft);
	complete = look_at_missing(draft) == 0;
	look_at_versions(draft);
	check_chain(draft, complete);
}
