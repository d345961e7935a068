/* SPDX-License-Identifier: PostgreSQL */
#pragma once

/*
 * An observer from inside, for the two files that make it: observer.c drives, observer_read.c
 * understands the answers and says what is asked next.
 */

#include "db/connect.h"
#include "db/journal.h"
#include "db/lock.h"
#include "db/observer.h"
#include "db/tracking_elsewhere.h"

/*
 * A look is a row of questions; each is skipped where the answers before it make it
 * pointless.
 */
enum look_stage {
	LOOK_IDLE,
	LOOK_CONNECT,
	LOOK_IDENTIFY, /* which engine, once for each connection */
	LOOK_PROBE,
	LOOK_TABLE,       /* is the tracking table there */
	LOOK_ROWS,        /* its rows */
	LOOK_OTHERS,      /* it has none: is there another tool's table */
	LOOK_OTHERS_ROWS, /* and what are its rows */
	LOOK_HOLDER,      /* who holds the lock */
	LOOK_JOURNAL,     /* is our journal there */
	LOOK_NEWS,        /* does it say anything new */
	LOOK_BASELINED,   /* which rows are baselines */
	LOOK_CHECKSUMS,   /* of the files as they were, where the rows have none */
	LOOK_RUNS,        /* the newest runs, where there are others than before */
	LOOK_REPORT,
};

struct observer {
	unsigned magic;
	uv_loop_t *loop;
	uv_timer_t timer;
	const struct target_params *params;
	uint64_t interval_ms;
	observer_fn *fn;
	void *arg;

	struct pgconn *conn;
	enum look_stage stage;
	unsigned failures;   /* connects in a row that failed */
	bool again;          /* asked for while a look was under way */
	bool was_reachable;  /* to log the change, once */
	bool journal_fails;  /* likewise */
	bool journal_failed; /* in this look */

	void *look; /* memory of the look in progress */
	struct engine engine;
	enum phase phase;                  /* whose table is looked at */
	struct tracking_table table;       /* that one */
	struct tracking_elsewhere *others; /* of LOOK_OTHERS_ROWS */
	struct lock lock;                  /* of LOOK_HOLDER */
	struct journal_owner owner;        /* of the runs that are asked for */
	/* what the journal says of migrations, with the answer to LOOK_NEWS that it belongs to */
	struct journal_words *words;
	const char *words_of;
	struct journal_words *fresh; /* the same in this look, until it is complete */
	char *runs_of;    /* the answer that the runs which were told belong to */
	const char *news; /* that answer in this look */
	struct pgconn_statement question; /* in hand; its memory is of `look` */
	int64_t asked_mono_us;            /* when it was sent */
	unsigned conflicts;               /* of it */
	struct observation seen;
};

/* The first question of a look to a server that is connected. */
enum look_stage observer_begin(struct observer *observer);

/* What the answer to observer->question means, or the error in its place: the next one. */
enum look_stage observer_read(
    struct observer *observer, const struct pgconn_reply *reply);
