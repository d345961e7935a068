/* SPDX-License-Identifier: PostgreSQL */
#include <string.h>

#include "base/bounds.h"
#include "base/mem.h"
#include "base/text.h"
#include "core/check_chain.h"

/*
 * drizzle-kit 0.x wants one chain. Two snapshots that were made from the same one are a
 * fork, which a merge of two branches leaves in one of two forms: two files with the
 * same "prevId", which drizzle-kit check finds; or, as both branches took the next
 * number, two migrations and one file, of which only one side's survived. That one it
 * does not find: its next generate repeats what the other migration did.
 *
 * 1.0 lets branches be, and joins them in the next snapshot.
 */

/* Branches of one fork that are looked at, and names in a list. */
#define MAX_BRANCHES 8u
#define LISTED       5u

/* Migrations in folder order. */
struct branch {
	const struct migration **migrations;
	size_t n;
	bool recorded; /* one of them is, here */
};

/* ---- names ---- */

static const char *
list_ids(const struct check_chain *chain, const struct branch *branch)
{
	struct text out;

	text_init(&out, chain->draft->scratch, BOUND_SQL);
	for (size_t i = 0; i < branch->n && i < LISTED; i++)
		text_addf(&out, "%s%s", i > 0 ? ", " : "", branch->migrations[i]->id);
	if (branch->n > LISTED)
		text_addf(&out, " and %zu more", branch->n - LISTED);
	return out.data;
}

/* "a", "a and b", "a, b and c" */
static const char *
list_branches(const struct check_chain *chain, const struct branch *branches, size_t n)
{
	struct text out;

	text_init(&out, chain->draft->scratch, BOUND_SQL);
	for (size_t i = 0; i < n; i++) {
		text_add(&out, i == 0 ? "" : i + 1 == n ? " and " : ", ");
		text_addf(&out, branches[i].n > 1 ? "(%s)" : "%s",
		    list_ids(chain, &branches[i]));
	}
	return out.data;
}

/* What a snapshot is called: its migration's name, else its file's. */
static const char *
name_of(const struct check_chain *chain, const struct snapshot *s)
{
	const struct folder *folder = chain->draft->folder;

	for (size_t i = 0; i < folder->n_migrations; i++) {
		if (chain->draft->snapshots[i] == s)
			return folder->migrations[i]->id;
	}
	return s->file;
}

/* ---- two branches from one state ---- */

/* Which are `s` and all that was made from it. */
static bool *
mark_branch(struct check_chain *chain, const struct snapshot *s)
{
	const struct snapshot **open =
	    mem_array(chain->draft->scratch, const struct snapshot *, chain->list->n);
	bool *mark = mem_array(chain->draft->scratch, bool, chain->list->n);
	size_t n = 1;

	mark[check_chain_number(chain, s)] = true;
	open[0] = s;
	while (n > 0) {
		const char *id = open[--n]->id;

		for (size_t i = check_chain_children(chain, id);
		     i < chain->n_edges && strcmp(chain->edges[i].parent, id) == 0; i++) {
			const struct snapshot *child = chain->edges[i].child;

			/* each once: a file may name itself as its parent */
			if (mark[check_chain_number(chain, child)])
				continue;
			mark[check_chain_number(chain, child)] = true;
			open[n++] = child;
		}
	}
	talloc_free(open);
	return mark;
}

static void
add_to_branch(struct check_chain *chain, struct branch *branch, const struct migration *m)
{
	branch->migrations = mem_grow(chain->draft->scratch, branch->migrations,
	    const struct migration *, branch->n + 1);
	branch->migrations[branch->n++] = m;
	branch->recorded = branch->recorded || check_is_recorded(chain->draft, m);
}

static struct branch
collect_branch(struct check_chain *chain, const struct snapshot *s)
{
	const struct folder *folder = chain->draft->folder;
	struct branch branch = { 0 };
	bool *mark = mark_branch(chain, s);

	for (size_t i = 0; i < folder->n_migrations; i++) {
		const struct snapshot *own = chain->draft->snapshots[i];

		if (own != NULL && mark[check_chain_number(chain, own)])
			add_to_branch(chain, &branch, folder->migrations[i]);
	}
	talloc_free(mark);
	return branch;
}

/*
 * The one to make anew: what is applied nowhere may still change, and of those the one
 * that came last. NULL when all are applied.
 */
static const struct branch *
choose_branch(const struct branch *branches, size_t n)
{
	const struct branch *chosen = NULL;

	for (size_t i = 0; i < n; i++) {
		if (!branches[i].recorded &&
		    (chosen == NULL ||
			branches[i].migrations[0]->position >
			    chosen->migrations[0]->position))
			chosen = &branches[i];
	}
	return chosen;
}

/*
 * Applied already, so the files must stay: the snapshots are put one behind the other,
 * and a migration that does nothing brings them up to the schema.
 */
static void
advise_joining(struct check_chain *chain, struct check_finding *f, const char *parent,
    const struct branch *branches, size_t n)
{
	struct check_draft *draft = chain->draft;
	const char *before = parent;
	bool *mark = mem_array(draft->scratch, bool, chain->list->n);
	const char *path;

	for (size_t i = 0; i < n; i++) {
		for (size_t k = 0; k < branches[i].n; k++)
			mark[check_chain_number(chain,
			    draft->snapshots[branches[i].migrations[k]->position])] =
			    true;
	}
	for (size_t i = 0; i < chain->list->n; i++) {
		const struct snapshot *s = &chain->list->snapshots[i];

		if (!mark[i])
			continue;
		path = check_path(draft, s->file);
		if (strcmp(s->parents[0], before) != 0)
			check_command(draft, f,
			    "jq '.prevId = \"%s\"' %s > %s.new && mv %s.new %s", before,
			    path, path, path, path);
		before = s->id;
	}
}

static void
advise_empty_migration(
    struct check_draft *draft, struct check_finding *f, const char *what)
{
	check_remedy(draft, f,
	    "all of them are applied, so they stay as they are: %s let drizzle-kit "
	    "generate one more, and empty it, for what it says is done",
	    what);
	check_command(draft, f, "npx drizzle-kit generate --name merge");
	check_command(draft, f,
	    "echo '-- done by the migrations before' > %s/*_merge.sql",
	    check_path(draft, NULL));
}

static void
add_fork(struct check_chain *chain, const char *parent, const struct branch *branches,
    size_t n)
{
	struct check_draft *draft = chain->draft;
	const struct snapshot *origin = check_chain_find(chain, parent);
	const struct branch *again = choose_branch(branches, n);
	const struct branch *place = again != NULL ? again : &branches[n - 1];
	struct check_finding *f = check_add(draft, CHECK_SNAPSHOT_FORK,
	    "a fork: %s were both generated on top of %s, and drizzle-kit generates nothing "
	    "more until one of them is on top of the other",
	    list_branches(chain, branches, n),
	    origin != NULL                             ? name_of(chain, origin)
		: strcmp(parent, SNAPSHOT_ORIGIN) == 0 ? "nothing"
						       : "the same snapshot");

	check_about_entry(draft, f, place->migrations[0]);
	if (again == NULL) {
		advise_joining(chain, f, parent, branches, n);
		advise_empty_migration(
		    draft, f, "put their snapshots one behind the other,");
		return;
	}
	check_remedy(draft, f,
	    "make %s anew on top of the other, here by deleting and generating it; if the "
	    "other one is yours and not merged yet, do it with that one",
	    list_ids(chain, again));
	check_redo(draft, f, again->migrations, again->n);
}

static void
look_at_forks(struct check_chain *chain)
{
	for (size_t i = 0, next; i < chain->n_edges; i = next) {
		const char *parent = chain->edges[i].parent;
		struct branch branches[MAX_BRANCHES];
		size_t n = 0;

		for (next = i; next < chain->n_edges &&
		     strcmp(chain->edges[next].parent, parent) == 0;
		     next++) {
			const struct snapshot *child = chain->edges[next].child;

			if (n < MAX_BRANCHES && !check_chain_is_orphan(chain, child))
				branches[n++] = collect_branch(chain, child);
		}
		if (n > 1)
			add_fork(chain, parent, branches, n);
	}
}

/* ---- two migrations with one snapshot ---- */

static void
add_shared(struct check_chain *chain, const struct snapshot *s)
{
	struct check_draft *draft = chain->draft;
	const struct folder *folder = draft->folder;
	struct branch owners[MAX_BRANCHES] = { { 0 } };
	const struct branch *again;
	const struct migration *m;
	struct check_finding *f;
	bool went_on;
	size_t n = 0;

	for (size_t i = 0; i < folder->n_migrations && n < MAX_BRANCHES; i++) {
		if (draft->snapshots[i] == s)
			add_to_branch(chain, &owners[n++], folder->migrations[i]);
	}
	again = choose_branch(owners, n);
	m = again != NULL ? again->migrations[0] : owners[n - 1].migrations[0];
	went_on = s->problem == NULL && check_chain_has_child(chain, s);
	f = check_add(draft, CHECK_SNAPSHOT_FORK,
	    "a fork: %s took the same number in two branches, and %s can be of one of them "
	    "only: %s",
	    list_branches(chain, owners, n), s->file,
	    went_on ? "what was generated next may repeat what the other one does"
		    : "the next drizzle-kit generate repeats what the other one does");
	check_about_entry(draft, f, m);
	if (went_on) {
		f->severity = CHECK_NOTE; /* it ran, or that is told elsewhere */
		return;
	}
	if (again == NULL) {
		advise_empty_migration(draft, f, "to bring the snapshots up to them,");
		return;
	}
	check_remedy(draft, f,
	    "make %s anew on top of the other: take journal and snapshots from the branch "
	    "that you merge into, here origin/main, and generate it again; if it is there "
	    "already, do it with the other one",
	    m->id);
	check_command(
	    draft, f, "git checkout origin/main -- %s", check_path(draft, "meta"));
	check_command(draft, f, "rm %s", check_path(draft, m->file));
	check_command(draft, f, "npx drizzle-kit generate --name %s", m->name);
}

static void
look_at_shared(struct check_chain *chain)
{
	for (size_t i = 0; i < chain->list->n; i++) {
		if (chain->draft->n_owners[i] > 1)
			add_shared(chain, &chain->list->snapshots[i]);
	}
}

/* ---- branches that may stay ---- */

void
check_leaves(struct check_chain *chain)
{
	struct check_draft *draft = chain->draft;
	struct branch leaves[MAX_BRANCHES] = { { 0 } };
	const struct folder *folder = draft->folder;
	struct check_finding *f;
	size_t n = 0;

	for (size_t i = 0; i < folder->n_migrations && n < MAX_BRANCHES; i++) {
		const struct snapshot *s = draft->snapshots[i];

		if (s != NULL && s->problem == NULL && s->joins &&
		    !check_chain_has_child(chain, s))
			add_to_branch(chain, &leaves[n++], folder->migrations[i]);
	}
	if (n < 2)
		return;
	f = check_add(draft, CHECK_SNAPSHOT_FORK,
	    "branches that no snapshot has joined yet end with %s",
	    list_branches(chain, leaves, n));
	check_about(draft, f, leaves[n - 1].migrations[0]);
	f->severity = CHECK_NOTE;
	check_remedy(draft, f,
	    "drizzle-kit check tells whether they conflict; the next drizzle-kit generate "
	    "joins them");
	check_command(draft, f, "npx drizzle-kit check");
}

void
check_forks(struct check_chain *chain)
{
	look_at_shared(chain);
	look_at_forks(chain);
}
