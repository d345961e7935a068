/* SPDX-License-Identifier: PostgreSQL */
#pragma once

/*
 * What the files layout_*.c share: one such file is one layout.
 *
 * Most folders are files with a number in front:
 *
 *	struct layout_files up = layout_sort(folder, root, is_up, scratch);
 *
 *	for (size_t i = 0; i < up.n; i++) {
 *		struct migration *m = layout_add(folder, dir, &up.files[i], id_len);
 *		...
 *	}
 */

#include "core/folder.h"
#include "core/layout.h"

/* 24 bytes that cut wherever they stand, as the split() of drizzle-orm 0.45 and 1.0 does. */
#define LAYOUT_BREAKPOINT "--> statement-breakpoint"

/* What drizzle-kit 0.x keeps its list of migrations in; drizzle-kit up takes it away. */
#define LAYOUT_JOURNAL "meta/_journal.json"

/* More would not fit into 64 bits. */
#define LAYOUT_DIGITS 18u

/* A file with a number in front. */
struct layout_file {
	const char *file;
	size_t n_digits; /* of the number */
	int64_t number;
};

struct layout_files {
	struct layout_file *files; /* by number */
	size_t n;
};

/* How many digits the name of a migration begins with; 0: it is not named as one. */
typedef size_t layout_digits(const char *file);

/* How many digits the name begins with, where `separator` is next; else 0. */
size_t layout_count_digits(const char *file, char separator);

/*
 * The files that `digits` knows, by number. Two with the same number, or one with more digits
 * than LAYOUT_DIGITS, are problems of the folder that block. Owned by `scratch`.
 */
struct layout_files layout_sort(struct folder *folder, const struct file_list *root,
    layout_digits *digits, const void *scratch);

/* The file of that number, or NULL. */
const struct layout_file *layout_find_number(
    const struct layout_files *files, int64_t number);

/*
 * folder_add, with the number as order and, in plain decimal, as version. The first `id_len`
 * bytes of the file's name are its id, what stands behind number and separator its name.
 */
struct migration *layout_add(struct folder *folder, struct file_dir *dir,
    const struct layout_file *file, size_t id_len);

/*
 * A file that its own tool passes over, or runs and we do not: listed as unregistered, with a note
 * of the folder that says why.
 */
void layout_pass_over(struct folder *folder, const char *file, const char *hint,
    const char *fmt, ...) PRINTF_LIKE(4, 5);

/* A file with which nothing may run: a problem of the folder that blocks; line 0: whole file. */
void layout_refuse(struct folder *folder, const char *file, unsigned line,
    const char *hint, const char *fmt, ...) PRINTF_LIKE(5, 6);

/* A migration that cannot be run: its problem, in that line (0: whole file). The first stays. */
void layout_refuse_migration(struct folder *folder, struct migration *m, unsigned line,
    const char *hint, const char *fmt, ...) PRINTF_LIKE(5, 6);

bool layout_ends_with(const char *name, const char *suffix);

/* Whether a folder that was listed has a file of that name. */
bool layout_lists(const struct file_list *list, const char *name);

/* A line of a text, for files that are read by the line. */
struct layout_line {
	const char *text; /* without its line feed and the carriage return before */
	size_t len;
	size_t from; /* in the whole, and behind its line feed */
	size_t to;
	unsigned number; /* from 1 */
};

/* The next line of the text; the first when *line is { 0 }. False at the end. */
bool layout_next_line(const char *text, size_t len, struct layout_line *line);

/* Whether the first numbered file that ends with .sql has a line that `is_mark` knows. */
bool layout_first_has(struct file_dir *dir, const struct file_list *root,
    bool (*is_mark)(const struct layout_line *line));
