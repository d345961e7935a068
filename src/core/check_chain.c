/* SPDX-License-Identifier: PostgreSQL */
#include "core/check_chain.h"

#include <stdlib.h>
#include <string.h>

#include "base/mem.h"

/* ---- the graph ---- */

static int
compare_ids(const void *a, const void *b)
{
	const struct snapshot *x = *(const struct snapshot *const *)a;
	const struct snapshot *y = *(const struct snapshot *const *)b;
	int order = strcmp(x->id, y->id);

	return order != 0 ? order : (x > y) - (x < y);
}

static int
compare_edges(const void *a, const void *b)
{
	const struct check_edge *x = a;
	const struct check_edge *y = b;
	int order = strcmp(x->parent, y->parent);

	return order != 0 ? order : (x->child > y->child) - (x->child < y->child);
}

static void
build(struct check_chain *chain)
{
	const struct snapshot_list *list = chain->list;
	const void *scratch = chain->draft->scratch;
	size_t n = 0;

	for (size_t i = 0; i < list->n; i++)
		n += list->snapshots[i].n_parents;
	chain->by_id = mem_array(scratch, const struct snapshot *, list->n);
	chain->edges = mem_array(scratch, struct check_edge, n);
	for (size_t i = 0; i < list->n; i++) {
		const struct snapshot *s = &list->snapshots[i];

		if (s->problem != NULL)
			continue;
		chain->by_id[chain->n_by_id++] = s;
		for (size_t k = 0; k < s->n_parents; k++)
			chain->edges[chain->n_edges++] =
			    (struct check_edge){ s->parents[k], s };
	}
	qsort(chain->by_id, chain->n_by_id, sizeof(*chain->by_id), compare_ids);
	qsort(chain->edges, chain->n_edges, sizeof(*chain->edges), compare_edges);
}

const struct snapshot *
check_chain_find(const struct check_chain *chain, const char *id)
{
	size_t low = 0, high = chain->n_by_id;

	while (low < high) {
		size_t middle = low + (high - low) / 2;

		if (strcmp(chain->by_id[middle]->id, id) < 0)
			low = middle + 1;
		else
			high = middle;
	}
	if (low == chain->n_by_id || strcmp(chain->by_id[low]->id, id) != 0)
		return NULL;
	return chain->by_id[low];
}

size_t
check_chain_children(const struct check_chain *chain, const char *parent)
{
	size_t low = 0, high = chain->n_edges;

	while (low < high) {
		size_t middle = low + (high - low) / 2;

		if (strcmp(chain->edges[middle].parent, parent) < 0)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

bool
check_chain_has_child(const struct check_chain *chain, const struct snapshot *s)
{
	size_t i = check_chain_children(chain, s->id);

	return i < chain->n_edges && strcmp(chain->edges[i].parent, s->id) == 0;
}

size_t
check_chain_number(const struct check_chain *chain, const struct snapshot *s)
{
	return (size_t)(s - chain->list->snapshots);
}

bool
check_chain_is_orphan(const struct check_chain *chain, const struct snapshot *s)
{
	return chain->draft->n_owners[check_chain_number(chain, s)] == 0;
}

/* ---- single snapshots ---- */

/* drizzle-kit takes the last file for the present schema, and a twin for a fork. */
static void
add_orphan(struct check_chain *chain, const struct snapshot *s)
{
	struct check_draft *draft = chain->draft;
	const char *path = check_path(draft, s->file);
	struct check_finding *f = check_add(draft, CHECK_SNAPSHOT_ORPHAN,
	    "a snapshot of no migration that %s lists", draft->folder->list);

	check_at(draft, f, s->file, 0);
	if (check_chain_has_child(chain, s)) {
		f->severity = CHECK_NOTE; /* an old migration that was taken out */
		return;
	}
	check_remedy(draft, f,
	    "remove it: drizzle-kit generate takes it for a state of the schema");
	check_command(draft, f, "rm %s", path);
}

static void
look_at_orphans(struct check_chain *chain)
{
	for (size_t i = 0; i < chain->list->n; i++) {
		const struct snapshot *s = &chain->list->snapshots[i];

		if (s->problem == NULL && check_chain_is_orphan(chain, s))
			add_orphan(chain, s);
	}
}

static void
look_at_parents(struct check_chain *chain, bool complete)
{
	struct check_draft *draft = chain->draft;

	for (size_t i = 0; i < chain->n_edges && complete; i++) {
		const struct check_edge *edge = &chain->edges[i];
		struct check_finding *f;

		if (strcmp(edge->parent, SNAPSHOT_ORIGIN) == 0 ||
		    check_chain_find(chain, edge->parent) != NULL)
			continue;
		f = check_add(draft, CHECK_SNAPSHOT_CHAIN,
		    "made from the snapshot %s, which is not there", edge->parent);
		check_at(draft, f, edge->child->file, 0);
		if (check_chain_has_child(chain, edge->child)) {
			f->severity = CHECK_NOTE; /* drizzle-kit went on from it */
			continue;
		}
		check_remedy(draft, f,
		    "find it in another branch (git log --all -S %s), or generate this "
		    "migration again",
		    edge->parent);
	}
}

static void
look_at_copies(struct check_chain *chain)
{
	for (size_t i = 1; i < chain->n_by_id; i++) {
		const struct snapshot *first = chain->by_id[i - 1];
		const struct snapshot *second = chain->by_id[i];
		struct check_finding *f;

		if (strcmp(first->id, second->id) != 0)
			continue;
		f = check_add(chain->draft, CHECK_SNAPSHOT_CHAIN,
		    "has the same id as %s: one is a copy of the other", first->file);
		check_at(chain->draft, f, second->file, 0);
		check_remedy(chain->draft, f,
		    "generate the migration again that it was copied for");
	}
}

void
check_chain(struct check_draft *draft, bool complete)
{
	struct check_chain chain = { .draft = draft, .list = draft->list };
	bool joins = false;

	build(&chain);
	for (size_t i = 0; i < chain.n_by_id; i++)
		joins = joins || chain.by_id[i]->joins;
	if (joins)
		check_leaves(&chain);
	else
		check_forks(&chain);
	look_at_copies(&chain);
	look_at_parents(&chain, complete);
	look_at_orphans(&chain);
}
