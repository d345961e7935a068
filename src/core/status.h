/* SPDX-License-Identifier: PostgreSQL */
#pragma once

/*
 * The status: all that the daemon knows of one target at this moment, as
 * borrowed pointers. It is the ONE document that /status, /migrations, /plan,
 * metrics, log and the text pages render. Filled by daemon/target.c, read by
 * http.
 */

#include <stdbool.h>
#include <stdint.h>

#include "core/folder.h"
#include "core/plan.h"
#include "core/run.h"

/*
 * What the last look at the database showed. Strings are "" until known; the
 * last known values stay while it is unreachable.
 */
struct database_facts {
	bool looked;    /* there was a look at all */
	bool reachable; /* at the last look */
	char name[64];
	char server_version[64]; /* "15.20 (Debian 15.20-0+deb12u1)" */
	char engine[32];         /* "postgresql" */
	char engine_note[256];   /* what that means for a run; "": it is PostgreSQL */
	const struct dialect *dialect; /* of its SQL; NULL: PostgreSQL's */
	bool in_recovery;              /* a standby: nothing can be applied here */
	bool pooled;                   /* a pooler is between us and the server */
	struct err err;                /* why it is not reachable, or not readable */
	int64_t refreshed_at_us;       /* last successful look; 0: never */
};

struct tracking_facts {
	const char *kind; /* "drizzle" */
	char table[160];  /* "drizzle.__drizzle_migrations", for people */
	bool exists;
};

/* One phase: what its folder and its table say. */
struct status_phase {
	const struct folder *folder; /* NULL: not configured */
	const struct plan *plan;     /* of folder and last known history; or NULL */
	/* stopped at what is not tried by itself, or NULL */
	const struct run *parked;
	struct tracking_facts tracking;
	/* why its table cannot be read; NULL: it can, or it is the schema's (database.err) */
	const struct err *unread;
};

struct lock_facts {
	bool held; /* somebody holds the lock, we or another */
	bool ours; /* it is this daemon's run */
	char holder
	    [256]; /* "pid 4711, migrationd from 10.0.0.7, since ..."; "" when free */
};

struct status {
	const char *target;
	enum phase phase; /* the schema; in a judgement the one that it is on */
	/* of the schema, and the same as in phases[PHASE_SCHEMA] */
	const struct folder *folder; /* never NULL */
	const struct plan *plan;     /* never NULL */
	const struct run *parked;    /* two phases may have files of the same name */
	struct tracking_facts tracking;
	struct status_phase phases[PHASE_COUNT];
	struct database_facts database;
	struct lock_facts lock;
	const struct run *run;      /* in progress, or NULL */
	const struct run *last_run; /* finished last, or NULL */
	/* the first pending one that a person has rolled back, or NULL */
	const struct migration *rolled_back;
	struct run *const *runs; /* newest first, the one in progress too */
	size_t n_runs;
	/* when the oldest pending migration was first seen here; 0: none is pending */
	int64_t oldest_pending_seen_us;
	bool stopping;
};

enum verdict {
	VERDICT_CURRENT,
	VERDICT_INCOMPLETE,
	VERDICT_PENDING,
	VERDICT_FAILED,
	VERDICT_IN_DOUBT,
	VERDICT_REFUSED,
	VERDICT_DRIFT,
	VERDICT_UNREACHABLE,
	VERDICT_INVALID,
	VERDICT_COUNT
};

/*
 * One word for the whole, the first that holds:
 *
 *	INVALID      a folder problem that blocks, or an invalid migration that is
 *	             not applied
 *	UNREACHABLE  never read, or not reachable or readable at the last look
 *	FAILED       the last run stopped at a migration that is still not applied
 *	IN_DOUBT     it stopped there to ask a person
 *	REFUSED      the plan is refused
 *	DRIFT        an applied file differs
 *	PENDING
 *	INCOMPLETE   of a lenient phase something is pending, failed or wrong: the
 *	             schema is current all the same
 *	CURRENT
 *
 * Of the schema first, then of the phases behind it.
 *
 * Missing files are no drift: a database may be ahead of an older folder during
 * a rolling update.
 */
enum verdict status_verdict(const struct status *status);

/* What the verdict, its words and its requests are of. */
struct judgement {
	enum phase phase; /* the first that is not current; a lenient one comes last */
	enum verdict verdict; /* on it alone: never INCOMPLETE */
	struct status of;     /* the status with folder, plan, ... of that phase */
};

void status_judge(const struct status *status, struct judgement *judgement);

/* Whether an application may count on what it needs: CURRENT and INCOMPLETE. */
bool verdict_is_current(enum verdict verdict);

/*
 * The item of that id, file or version: of the schema, else of the first phase that has
 * it. NULL: none.
 */
const struct plan_item *status_find(const struct status *status, const char *name);

/* "current", "pending", ... */
const char *verdict_name(enum verdict verdict);

/*
 * The error with which the run that is parked in its phase stopped at this migration; NULL:
 * that was another migration, or there is none.
 */
const struct err *status_error_of(const struct run *parked, const struct plan_item *item);

/*
 * What a migration asks that failed in a lenient phase, by the newest run that left it out;
 * NULL: nothing, or a person has answered since.
 */
const struct err *status_question_of(
    const struct status *status, enum phase phase, const struct plan_item *item);

/* Room for a sentence, or for an advice. */
#define STATUS_TEXT 2048u

/*
 * One sentence for people, with numbers and names, into buf: "2 migrations
 * pending, next is 0044_add_orders_index". While a run is on, what it does.
 */
const char *status_sentence(const struct status *status, char *buf, size_t size);

/*
 * What to do next, into buf: "POST /apply runs them; GET /plan shows them
 * first". "" when there is nothing to do.
 */
const char *status_advice(const struct status *status, char *buf, size_t size);

/* A POST that the advice speaks of, as data, ready to be made. */
struct status_request {
	char path[64];
	const char *migration; /* members of its body, borrowed; NULL: it needs none */
	const char *action;
	const char *phase; /* NULL: the schema */
	const char *when;  /* which case it is for, where one has to choose; else NULL */
};

/* What to send next, at most STATUS_REQUESTS; how many. */
#define STATUS_REQUESTS 3
size_t status_requests(
    const struct status *status, struct status_request requests[STATUS_REQUESTS]);

/* The same of an error that asks a person; none where it does not. */
size_t status_answers(
    const struct err *err, struct status_request requests[STATUS_REQUESTS]);

/*
 * Which phase a repair of `name` is about that names none, as a set: 0 where one at most has
 * a migration of that name; else the one in which it failed or is in doubt. CONFIGURATION
 * (409) where that is none, or more than one.
 */
int status_choose_phase(const struct status *status, const char *name, unsigned *phases,
    struct err *err) MUST_CHECK;
