/* SPDX-License-Identifier: PostgreSQL */
#pragma once

/*
 * The tracking table: the team's own table of what was applied.
 *
 * Each kind is one file, which says what its tool's table is (db/tracking_kind.h), and one row
 * in tracking.c; nothing else knows what a kind writes. The rows are byte for byte what the
 * kind's own tool writes. Our own notes never go in there (db/journal.h).
 *
 *	const struct tracking *kind = tracking_find("drizzle");
 *	struct tracking_table table = { .kind = kind, .schema = ..., .table = ... };
 *
 *	tracking_look(ctx, &table)            -> tracking_read_look(...), tracking_settle
 *	tracking_create(ctx, &table, ...)     where there is no table
 *	tracking_read(ctx, &table)            -> tracking_read_history(...)
 *	kind->record(ctx, &table, migration)  inside the migration's transaction
 *	kind->forget(ctx, &table, &gone)      inside that of its way back
 */

#include "core/history.h"
#include "core/migration.h"
#include "core/status.h"
#include "db/pgconn.h"

struct tracking;

struct tracking_table {
	const struct tracking *kind;
	const char *schema; /* resolved: never NULL once connected */
	const char *table;
	/*
	 * The target's own table, of its schema migrations. Where several targets share a
	 * database, rows of a table that they have in common say whose they are by it.
	 */
	const char *of_schema;
	const char *of_table;
	bool schema_is_said; /* by the configuration: nobody had to guess it */
	bool no_serial; /* the server has no such type: an identity stands in for it */
};

/* What is there already. */
struct tracking_look {
	bool schema_exists;
	bool table_exists;
	const char *
	    columns; /* ",id,hash,created_at,": each name between commas; "" without a table */
	bool
	    guarded; /* a unique index keeps each migration's row from being there twice */
};

/* What is to be taken back. */
struct tracking_gone {
	const struct history_row *row;     /* as it was read */
	const struct migration *migration; /* NULL: no file has it */
	const struct migration *before;    /* the newest that stays; NULL: none */
};

/* What is read of each row: a column, or what SQL makes of some. */
#define TRACKING_MORE 2
struct tracking_row {
	const char *key;      /* by which a migration is known: a column */
	const char *name;     /* for people; NULL: rows have none */
	const char *checksum; /* what was applied; NULL: our journal keeps that */
	const char *more[TRACKING_MORE]; /* for `read_more` */
	const char *time; /* when it was written, of any date type; NULL: not known */
	const char *from; /* NULL: all rows of the table */
	const char *order_by;
};

/*
 * What a statement says of the table stands in braces: see tracking_sql in
 * db/tracking_kind.h.
 */
struct tracking {
	const char *name;
	const char *default_schema; /* NULL: the session's current_schema() */
	const char *default_table;
	enum history_key key;
	bool is_shared;   /* one table for all targets: rows say whose they are */
	bool has_one_row; /* of the newest migration; it stands for those before */
	/* The one layout whose migrations have what the rows hold; NULL: any has. */
	const char *needs_layout;
	const char *const *columns; /* that must be there, NULL-terminated */
	/*
	 * What a unique index must be on to keep its tool from recording a migration
	 * twice, sorted: "created_at,hash". NULL: the table has a key of its own, or none
	 * would help.
	 */
	const char *guard_columns;
	/*
	 * A column whose presence means another tool's version of the table, and what
	 * to say; NULL: none.
	 */
	const char *foreign_column;
	const char *foreign_hint;
	/*
	 * The same tool's older version of the table, which has all columns of its own but not
	 * all of ours; NULL: none. It is read as what it is (tracking_settle), until a run
	 * brings it up to date before it writes.
	 */
	const struct tracking *older;

	const char *create; /* statements, as its own tool has them */
	struct tracking_row row;
	/* The number in a key, to compare with migration.order; NULL: there is none. */
	bool (*number)(const char *key, int64_t *number);
	/* What the values of row.more say; NULL: nothing is asked for. */
	void (*read_more)(
	    struct history *history, struct history_row *row, const char *const *more);
	/*
	 * Insert the row of an applied migration, only if no row of that migration has
	 * appeared (then no row is affected and the runner rolls back). `duration_us` is
	 * what it took, for tables that keep that; 0 in a baseline.
	 */
	struct pgconn_statement (*record)(const void *ctx,
	    const struct tracking_table *table, const struct migration *migration,
	    int64_t duration_us);
	/*
	 * Take back what `record` wrote, as its own tool does it or, where that has no way
	 * back, so that it runs the migration again: all rows of it that are as they were
	 * read. No row is affected where another was quicker. NULL: it cannot be taken back.
	 */
	struct pgconn_statement (*forget)(const void *ctx,
	    const struct tracking_table *table, const struct tracking_gone *gone);
	const char *stays_hint; /* without `forget`: what to do in its place */
	/*
	 * The row as it was read gets the checksum of `gone->migration`. No row is affected
	 * where another was quicker. NULL: the table has no checksums.
	 */
	struct pgconn_statement (*bless)(const void *ctx,
	    const struct tracking_table *table, const struct tracking_gone *gone);
	/*
	 * Insert the row of a failure, outside a transaction; NULL: the kind does not
	 * record failures.
	 */
	struct pgconn_statement (*record_failure)(const void *ctx,
	    const struct tracking_table *table, const struct migration *migration,
	    const char *message);
	/*
	 * Of an older version alone, which has nothing to create or record: open a
	 * transaction and make the table the newer one. `owner` is plan_match's, one for each
	 * row of the history, none of them NULL. The answer is one bool: the table has no
	 * rows but these, so that the transaction may be committed.
	 */
	struct pgconn_statement (*upgrade)(const void *ctx,
	    const struct tracking_table *table, const struct history *history,
	    const struct migration *const *owner);
};

/* Where the server says that the role may not read or write the table: which rights it needs. */
void tracking_hint_rights(const struct tracking_table *table, struct err *err);

extern const struct tracking tracking_drizzle;
extern const struct tracking tracking_drizzle1;
extern const struct tracking tracking_schema_migrations;
extern const struct tracking tracking_migration_log;
extern const struct tracking tracking_golang_migrate;
extern const struct tracking tracking_goose;
extern const struct tracking tracking_dbmate;
extern const struct tracking tracking_sqlx;
extern const struct tracking tracking_flyway;
extern const struct tracking tracking_diesel;
/* Of the phases beside the schema's: not to be chosen. */
extern const struct tracking tracking_data_migrations;
extern const struct tracking tracking_reruns;

/* The row of that name, or NULL. */
const struct tracking *tracking_find(const char *name);

/* The name of each row that may be chosen: a names_fn (base/names.h). */
const char *tracking_name(size_t i);

/* Does the table exist, with which columns? Reads pg_catalog only: no right is needed. */
struct pgconn_statement tracking_look(
    const void *ctx, const struct tracking_table *table);
void tracking_read_look(
    const void *ctx, const PGresult *result, struct tracking_look *look);

/* Where the table is one of an older version, that becomes its kind. */
void tracking_settle(struct tracking_table *table, const struct tracking_look *look);

/*
 * Whether the table has the kind's columns and no foreign one. CONFIGURATION (409, exit
 * 8) that names table and columns.
 */
int tracking_check(const struct tracking_table *table, const struct tracking_look *look,
    struct err *err) MUST_CHECK;

/*
 * guard = on, in tracking_guard.c. Two of drizzle-orm's migrators (0.45, 1.0.0-rc.5) that
 * start together both read, both apply and both record; with a unique index on what a row
 * says, the second waits for the first and is rolled back with 23505.
 *
 * The statements that make the index, under a short lock_timeout because it waits for
 * whoever writes the table; and that remove it, if it is ours. sql "" where the kind takes
 * no guard. Owned by ctx.
 */
struct pgconn_statement tracking_guard(
    const void *ctx, const struct tracking_table *table);
struct pgconn_statement tracking_unguard(
    const void *ctx, const struct tracking_table *table);

/*
 * The index could not be made: turn the server's error into the warning of a run that
 * goes on without it, with what to do.
 */
void tracking_guard_refused(const struct tracking_table *table, struct err *err);

/* The table, and the schema where that is not there either. Owned by ctx. */
struct pgconn_statement tracking_create(
    const void *ctx, const struct tracking_table *table, bool schema_exists);

/* All that counts of its rows, at most BOUND_HISTORY_ROWS and one. Owned by ctx. */
struct pgconn_statement tracking_read(
    const void *ctx, const struct tracking_table *table);

/* Into the facts that /status shows. */
void tracking_to_facts(
    const struct tracking_table *table, bool exists, struct tracking_facts *facts);

/* The history of a table that is not there, as of `mono_us`: no rows. */
struct history *tracking_new_history(
    const void *ctx, const struct tracking_table *table, int64_t mono_us);

/*
 * All rows of the answer to tracking_read, as of `mono_us`. At most BOUND_HISTORY_ROWS, else
 * CONFIGURATION.
 */
int tracking_read_history(const void *ctx, const struct tracking_table *table,
    const PGresult *result, int64_t mono_us, struct history **out,
    struct err *err) MUST_CHECK;

/*
 * "schema.table": what it is called in tables of our own, which targets share, with the
 * target's behind it where it is one of those itself; and likewise the target's own table,
 * whichever of its phases `table` is of. Owned by ctx.
 */
const char *tracking_label(const void *ctx, const struct tracking_table *table);
const char *tracking_target_label(const void *ctx, const struct tracking_table *table);
