/* SPDX-License-Identifier: PostgreSQL */
#pragma once

/*
 * How the snapshots hang together: each was made from another one. Part of
 * check_snapshots: check_chain.c builds the graph and looks at single snapshots,
 * check_fork.c at what was made twice from one state.
 */

#include "core/check_draft.h"

/* `child` was made from the snapshot with the id `parent`. */
struct check_edge {
	const char *parent;
	const struct snapshot *child;
};

struct check_chain {
	struct check_draft *draft;
	const struct snapshot_list *list;
	const struct snapshot **by_id; /* those without a problem */
	size_t n_by_id;
	struct check_edge *edges; /* sorted by parent, then by file */
	size_t n_edges;
};

/* `complete`: no migration is without a snapshot. */
void check_chain(struct check_draft *draft, bool complete);

/* The snapshot of that id, or NULL. */
const struct snapshot *check_chain_find(const struct check_chain *chain, const char *id);

/* The first edge from that parent, or where it would stand. */
size_t check_chain_children(const struct check_chain *chain, const char *parent);

bool check_chain_has_child(const struct check_chain *chain, const struct snapshot *s);

/* Its index in the list. */
size_t check_chain_number(const struct check_chain *chain, const struct snapshot *s);

/* Whether it is of no migration. */
bool check_chain_is_orphan(const struct check_chain *chain, const struct snapshot *s);

/* check_fork.c: forks in a folder that has to be one chain (drizzle-kit 0.x). */
void check_forks(struct check_chain *chain);

/* Branches in a folder of a generator that joins them (1.0). */
void check_leaves(struct check_chain *chain);
