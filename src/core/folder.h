/* SPDX-License-Identifier: PostgreSQL */
#pragma once

/*
 * The folder: the set of migrations read from disk in one scan. Immutable after folder_load,
 * shared by reference count: a run keeps the folder that it was planned from, whatever happens
 * on disk.
 *
 * A bad file is a problem in the folder, not a failed load: folder_load always gives a folder,
 * even for a path that does not exist.
 *
 *	struct folder *folder = folder_load("/migrations", NULL, NULL, clock_now_us());
 *
 *	for (size_t i = 0; i < folder->n_migrations; i++) ...
 *	folder_unref(folder);
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "core/layout.h"
#include "core/migration.h"

struct folder_problem {
	/* INVALID, UNREGISTERED, or MISSING where a listed file is absent */
	enum migration_state state;
	bool blocks; /* nothing may run while it stands; else a note */
	struct err err;
};

struct folder {
	unsigned refs;
	char *path;
	const struct layout *layout; /* NULL: not recognised */
	const char *manifest;        /* the list that a person has named; NULL: none */
	const char *list; /* the file that lists the migrations; NULL: there is none */
	int64_t scanned_at_us;
	dev_t device; /* of the directory that was read, 0 when there was none */
	ino_t inode;
	unsigned long long stamp; /* sizes and mtimes of all files read */
	size_t bytes;

	struct migration **migrations; /* in the order of the layout */
	size_t n_migrations;
	char **unregistered; /* files beside the journal's */
	size_t n_unregistered;
	struct folder_problem *problems; /* at most BOUND_FOLDER_PROBLEMS */
	size_t n_problems;
	size_t n_problems_dropped;
};

/*
 * Read the folder at `path`. `layout` names the layout, NULL or "auto" finds it; `manifest` is the
 * file beneath it that lists the others, NULL: the layout finds it. One reference is the caller's.
 * Never NULL. `now_us` is noted as scanned_at_us.
 */
struct folder *folder_load(
    const char *path, const char *layout, const char *manifest, int64_t now_us);

struct folder *folder_ref(struct folder *folder);
void folder_unref(struct folder *folder);

/* The migration with that id, file name, or version (in this order); NULL when none. */
const struct migration *folder_find(const struct folder *folder, const char *name);

/* Whether both hold the same migrations, texts, order and problems. Then the older can be kept. */
bool folder_equal(const struct folder *a, const struct folder *b);

/*
 * Whether the two scans saw the same sizes and mtimes: a file seen while it is written is half
 * a migration, so a folder is used only when two looks agree that are far enough apart. It is
 * `now` that may be used then.
 */
bool folder_is_settled(const struct folder *before, const struct folder *now);

/* The first problem that blocks, or NULL. */
const struct folder_problem *folder_blocker(const struct folder *folder);

/* ---- for layouts ---- */

/*
 * Add the migration `id` whose file is `file`: checks the name, reads, decodes, cuts at `marker`.
 * A file that fails one of these still becomes a migration, with `problem` set, and the folder
 * has a problem too, which blocks where the name or a link is not allowed. Returns it, for
 * version, name, order.
 */
struct migration *folder_add(struct folder *folder, struct file_dir *dir, const char *id,
    const char *file, const char *marker);

/*
 * The file that undoes `m` (m->down), once version, name and order of `m` are set. Where it cannot
 * be read or run, m->down->problem says so and the folder has a problem: a note, unless the name
 * or a link is not allowed.
 */
void folder_add_down(
    struct folder *folder, struct file_dir *dir, struct migration *m, const char *file);

/*
 * The layout found that `m` cannot be run: `err` becomes its problem, and a note of the folder.
 * Nothing when it has a problem already.
 */
void folder_refuse(struct folder *folder, struct migration *m, const struct err *err);

/* List a file that the layout does not. Why it is not run is a problem for the layout to add. */
void folder_add_unregistered(struct folder *folder, const char *file);

/*
 * Note a problem of the folder itself. The err is copied; a general hint, HTTP status and exit
 * code are filled in where it has none. Beyond BOUND_FOLDER_PROBLEMS they are only counted, but
 * the first that blocks always finds room.
 */
void folder_add_problem(struct folder *folder, enum migration_state state, bool blocks,
    const struct err *err);
