/* SPDX-License-Identifier: PostgreSQL */
#pragma once

/*
 * A check in the making, for the files that make one: check_files.c looks at folder and
 * list, check_snapshots.c at the snapshots, check_state.c at what the database says. Each
 * adds findings; check.c weighs them.
 *
 *	struct check_finding *f = check_add(draft, CHECK_PENDING, "not applied yet");
 *
 *	check_about(draft, f, migration);
 *	check_remedy(draft, f, "POST /apply runs it");
 *
 * A finding is good until the next one is added.
 */

#include "core/check.h"

struct check_draft {
	const struct check_input *input;
	/* of the phase that is being looked at */
	enum phase phase;
	const struct folder *folder;
	const struct plan *plan; /* NULL: none was made */
	const struct tracking_facts *tracking;
	const struct run *parked; /* as in the status */
	const struct err *unread; /* why the table is not read; NULL: nothing is wrong */
	struct check *check;
	void *scratch; /* gone when the check is made */
	/* of each migration: what the plan says of it; NULL where nobody knows */
	const struct plan_item **items;
	/* of each migration: its snapshot, or NULL */
	const struct snapshot_list *list; /* as it was read; NULL: there are none */
	const struct snapshot **snapshots;
	size_t *n_owners; /* of each snapshot: how many migrations have it for theirs */
};

/* A finding with the severity and exit code of its kind. */
struct check_finding *check_add(struct check_draft *draft, enum check_kind kind,
    const char *fmt, ...) PRINTF_LIKE(3, 4);

/* Say where: a file (copied) and a line. */
void check_at(
    struct check_draft *draft, struct check_finding *f, const char *file, unsigned line);

/* It is about that migration, and found in its file. */
void check_about(
    struct check_draft *draft, struct check_finding *f, const struct migration *m);

/* It is about that migration, and mended where the list names it, if there is a list. */
void check_about_entry(
    struct check_draft *draft, struct check_finding *f, const struct migration *m);

void check_remedy(struct check_draft *draft, struct check_finding *f, const char *fmt,
    ...) PRINTF_LIKE(3, 4);

/* One more command for a shell, behind those that are there. */
void check_command(struct check_draft *draft, struct check_finding *f, const char *fmt,
    ...) PRINTF_LIKE(3, 4);

/* Recorded as applied, as far as is known. */
bool check_is_recorded(const struct check_draft *draft, const struct migration *m);

/* Whether it is what a migration's own file cannot be run for, which check_files tells. */
bool check_is_of_file(const struct folder *folder, const struct err *err);

/* ---- check_way_out.c: commands ---- */

/*
 * A file of the folder as one word for a shell, with the folder's path before it; the
 * folder itself for NULL. Scratch.
 */
const char *check_path(struct check_draft *draft, const char *file);

/* The command that puts the folder's list through that filter of jq. */
void check_edit_list(struct check_draft *draft, struct check_finding *f, const char *fmt,
    ...) PRINTF_LIKE(3, 4);

/*
 * The commands that take these migrations, in folder order, out of a Drizzle folder and
 * have them generated again on top of what is left. None for other layouts, or where
 * there are very many.
 */
void check_redo(struct check_draft *draft, struct check_finding *f,
    const struct migration *const *migrations, size_t n);

/* ---- the parts ---- */

/* check_files.c: the folder's problems, its list. */
void check_files(struct check_draft *draft);

/* check_snapshots.c */
void check_snapshots(struct check_draft *draft);

/* check_state.c: what is recorded, and what is not. */
void check_state(struct check_draft *draft);

/* check_state.c: whether anybody knows, which is told where not. */
bool check_database(struct check_draft *draft);

/* The same of the table of the phase in hand, beside the schema. */
bool check_table(struct check_draft *draft);
