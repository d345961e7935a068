/* SPDX-License-Identifier: PostgreSQL */
#pragma once

/*
 * Where a target is and how it is treated: what runner and observer need of the
 * configuration. Immutable. Runner and observer each work on a copy of their own,
 * so that a reload changes nothing under them.
 */

#include <stdbool.h>
#include <stdint.h>

#include "base/digest.h"
#include "core/phase.h"
#include "core/plan.h"

/* How other migrationds are kept out. */
enum target_lock_mode {
	LOCK_MODE_AUTO, /* what the server can keep */
	LOCK_MODE_ADVISORY,
	LOCK_MODE_LEASE
};

struct password_memory;

struct target_params {
	const char *name;         /* "default" */
	unsigned phases;          /* set of those that have a folder */
	const char *database_url; /* "" : PG* environment */
	const char *direct_url;   /* where runs connect to instead; NULL: none */
	const char *database;     /* instead of the one that those say; NULL: that one */
	/* NULL: none; else read or run at each connect, so that secrets can be rotated */
	const char *database_url_file; /* in the place of database_url */
	const char *direct_url_file;   /* in the place of direct_url */
	const char *password_file;
	const char *password_command;
	struct password_memory *password_memory; /* its owner's, and never copied */
	const char *engine;          /* which server it is; NULL: it is looked */
	const char *tracking;        /* kind, resolved: never "auto" */
	const char *tracking_schema; /* NULL: the kind's default */
	const char *tracking_table;  /* NULL: the kind's default */
	const char *instance;    /* NULL, or a name for application_name and journal */
	char process[UUID_TEXT]; /* that the run is one of (lock_name); "": it is alone */
	bool journal;
	bool heed_others; /* refuse where another tool's tracking table has the rows */
	bool guard;       /* keep a unique index on the tracking table */
	bool rollback;    /* may be asked for */
	enum target_lock_mode lock_mode;
	int64_t connect_timeout_ms; /* one attempt */
	int64_t
	    connection_max_age_ms; /* of a run's connection; 0: as the engine has it */
	int64_t connect_wait_ms;   /* all attempts of a run */
	int64_t lock_wait_ms;      /* how long a run waits for another migrationd */
	int64_t
	    ddl_lock_timeout_ms; /* lock_timeout of a migration's transaction; 0: none */
	int64_t statement_timeout_ms; /* 0: none */
	int64_t batch_max_lag_ms;  /* of a replica, for the next batch to begin; 0: any */
	unsigned batch_max_active; /* sessions, likewise; 0: any */
	unsigned
	    yield_after; /* let go when so many sessions queue behind our DDL; 0: never */
	struct plan_policy policy;
};

/* A deep copy, owned by `ctx`. */
struct target_params *target_params_copy(
    const void *ctx, const struct target_params *params);

/* Whether both lead to the same table on the same server; and in the same way, besides. */
bool target_params_same_table(
    const struct target_params *a, const struct target_params *b);
bool target_params_equal(const struct target_params *a, const struct target_params *b);

/* Take over from an equal one how the target is treated: timeouts, policy, guard. */
void target_params_treat_as(
    struct target_params *params, const struct target_params *other);
