/* SPDX-License-Identifier: PostgreSQL */
#pragma once

/*
 * One migration: a file of the folder with its identity, checksum and parts.
 *
 * Immutable once its folder is loaded; owned by the folder. What was hashed is what is
 * executed: `text` is the only copy, the parts point into it.
 *
 * Two ways to name one, both unique in a folder:
 *   id       what people type and read: "0003_add_users" (the file name without ".sql")
 *   version  what a tracking table stores as the key: Drizzle the journal's `when` in decimal,
 *            sequence folders the digits of the file name as written ("0003")
 * `order` sorts and compares versions as numbers; a Drizzle folder keeps the order of its
 * journal and uses `order` (= when) only to tell what is older than the newest applied.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/digest.h"
#include "base/err.h"

/* Exclusive. The names are API: see migration_state_name. */
enum migration_state {
	MIGRATION_APPLIED,
	MIGRATION_BASELINE, /* recorded without being run, as our journal knows */
	MIGRATION_PENDING,
	MIGRATION_RUNNING,
	MIGRATION_FAILED,       /* the last run stopped at it; not applied */
	MIGRATION_IN_DOUBT,     /* a non-transactional statement's outcome is not known */
	MIGRATION_MODIFIED,     /* applied, and the file's content is another now */
	MIGRATION_MISSING,      /* recorded, but the folder has no such file */
	MIGRATION_OUT_OF_ORDER, /* not applied, older than the newest applied */
	MIGRATION_UNREGISTERED, /* a file that the folder's journal does not list */
	MIGRATION_INVALID,      /* unreadable, bad name, NUL byte, bad UTF-8 ... */
	MIGRATION_STATE_COUNT
};

/* A piece that is sent as one query, cut at the layout's marker and otherwise untouched. */
struct part {
	const char *text; /* into migration.text; NOT NUL-terminated */
	size_t len;
	/* where its first byte stands in the file, from 1; a cut may be inside a line */
	unsigned line;
	unsigned column; /* in characters */
};

/* Where the list of the folder names a migration: folder->list says which file that is. */
struct listing {
	unsigned line;  /* 0: the folder has no list, the files' names are all there is */
	bool has_index; /* the list numbers its entries: drizzle-kit's idx */
	int64_t index;
};

struct migration {
	const char *id;
	const char *version;
	const char *name; /* for people: "add_users" */
	const char *file; /* path beneath the folder: "0003_add_users.sql" */
	int64_t order;
	size_t position; /* index in folder->migrations */
	struct listing listing;

	const char *text; /* decoded; NUL-terminated; "" when not readable */
	size_t text_len;
	char checksum[DIGEST_HEX]; /* of the decoded text; "" when not readable */
	/*
	 * The checksum that the layout's own tool records; NULL: `checksum` is the one, or it
	 * records none.
	 */
	const char *tool_checksum;
	struct part *parts;
	size_t n_parts;

	/*
	 * Its layout says that it runs outside a transaction, in words of its own tool's; a
	 * directive of ours in the file counts more.
	 */
	bool no_transaction;

	/*
	 * It stands in for all that is older: run on an empty history alone, and then they are
	 * not (Flyway's B1__x.sql).
	 */
	bool stands_in;

	/*
	 * The SQL that undoes it; NULL: nobody has written any. A migration itself, with the
	 * same id, version, name and order, so that it runs by the same code; `file` and the
	 * lines of its parts are where its SQL stands. It is run on demand alone. A problem of
	 * its own does not keep the migration from being applied.
	 */
	const struct migration *down;

	/* Set when the file cannot be run; then state INVALID while it is not applied. An applied
	 * migration with a problem is only reported (nobody needs its text any more). */
	struct err *problem; /* NULL: fine */
};

/* "applied", "out_of_order", ...: the names in JSON, metrics and text. */
const char *migration_state_name(enum migration_state state);

/*
 * Whether `id` is made of [A-Za-z0-9_.-] only, does not start with '.', has no ".." and is not
 * longer than BOUND_NAME_BYTES. Else SECURITY_VIOLATION that says which character.
 */
int migration_check_id(const char *id, struct err *err) MUST_CHECK;

/* The checksum that a row of the migration holds: the tool's own, or ours. "" when not readable. */
const char *migration_recorded_checksum(const struct migration *m);

/* What the name in the row of a tracking table says of whose it is. */
enum migration_named {
	NAMED_NOT,   /* nothing: there is none, or not a letter of it can be compared */
	NAMED_SAME,  /* the migration's */
	NAMED_OTHER, /* another one's */
};

/*
 * `name` (may be NULL) held against the migration. Tools write "add_users", "Add users",
 * "0003_add_users.sql" or a sentence with that in it, so letters and digits alone count.
 */
enum migration_named migration_is_named(const struct migration *m, const char *name);

/* Note that `m` cannot be run: a copy of `err`, owned by `ctx`. The first one stays. */
void migration_set_problem(struct migration *m, const void *ctx, const struct err *err);

/*
 * Give `m`, whose `file` is set, its text: decode (base/utf8.h), hash the decoded text, cut at
 * `marker` (NULL: one part), and look for what must not run: a NUL byte, invalid UTF-8, a byte
 * order mark, a merge conflict (migration_conflict_line). The first of these is put into
 * m->problem with its line; text and checksum are there all the same, for an applied file has to
 * be known again. `data` stays with the caller; memory is taken from `ctx`.
 */
void migration_set_text(struct migration *m, const void *ctx, const char *data,
    size_t len, const char *marker);

/* A stretch of a text. */
struct migration_span {
	size_t from;
	size_t to; /* the first byte that is not in it */
};

/*
 * Only the `n` spans (in their order, apart) of the text are to run: all else becomes blank, and
 * the lines stay what they are in the file. One part, from the first span to the last; no spans
 * leave nothing to run. The checksum stays that of the whole. For layouts whose files have
 * sections. `m` is a talloc context, as folder_add gives it.
 */
void migration_keep(struct migration *m, const struct migration_span *spans, size_t n);

/*
 * Give `m` its m->down, and return it. Where the way back stands in the same file (`file` NULL) it
 * has text and problem of `m`, for the caller to narrow down with migration_keep, and to do so
 * before that of `m`; else no text (folder_add_down reads it). Once `version` and `order` are set.
 */
struct migration *migration_add_down(struct migration *m, const char *file);

/*
 * The first line that git left of an unresolved merge conflict: it begins with "<<<<<<< " or
 * ">>>>>>> ". 0 when there is none. A lone "=======" is not enough, a comment may well hold a
 * row of them.
 */
unsigned migration_conflict_line(const char *text, size_t len);

/* Line and column (both from 1, column in characters) in the file of the `offset`-th byte of a
 * part. */
void migration_locate(
    const struct part *part, size_t offset, unsigned *line, unsigned *column);

/* Byte offset of the `position`-th character (from 1, as PG_DIAG_STATEMENT_POSITION counts) in
 * a part; its length when there are fewer. */
size_t migration_char_offset(const struct part *part, unsigned long position);
