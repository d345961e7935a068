/* SPDX-License-Identifier: PostgreSQL */
#pragma once

/*
 * Asking the API: one question, one answer, two ways to get it.
 *
 *	ask_http.c    a daemon, over HTTP
 *	ask_local.c   the daemon's own target and handlers in this process, without a socket
 *
 * Whichever it is, the answer is the same document.
 *
 *	struct ask *ask = ask_new(ctx, patience_ms);
 *
 *	if (ask_use_http(ask, "unix:/run/migrationd.sock", NULL, err) < 0) ...
 *	if (ask_put(ask, &(struct question){ .method = "GET", .path = "/status" }, ctx,
 *		&answer, err) < 0)
 *		... no answer; else answer->status says whether it is a good one
 *	ask_close(ask);
 *
 * What may work a little later (nobody listens yet, the database is away, another run is
 * in progress) is asked again until the patience is over. A rollback only while it is sure that
 * none has begun: what it undoes depends on what is there.
 *
 * SIGINT and SIGTERM: a question to a daemon ends with CANCELLED, and what it was asked
 * for goes on there. A run of our own ends after the migration in hand, at the second
 * signal at once; without one the question ends likewise.
 */

#include <stdbool.h>
#include <stdint.h>

#include <jansson.h>
#include <uv.h>

#include "base/err.h"
#include "daemon/config.h"

/* As a shell names a program that Ctrl-C ended. */
#define ASK_INTERRUPTED 130

struct question {
	const char *method; /* "GET", "POST" */
	const char *path;   /* with its query */
	json_t *body;       /* of a POST, borrowed; NULL: {} */
	bool offline;       /* the answer needs no look at the database */
};

struct answer {
	unsigned status;
	const char *text; /* the body as it came */
	size_t len;
	json_t *document;     /* the same, read; NULL when it is no JSON object */
	const char *location; /* of a run, or NULL */
};

struct ask;

/* A way to get answers. */
struct ask_backend {
	/* The answer but for `document`, owned by ctx; NETWORK_ERROR when there is none. */
	int (*put)(void *state, const struct question *question, const void *ctx,
	    struct answer *answer, struct err *err);
	/* The signal number `count`; NULL: it has no run of its own. */
	void (*interrupt)(void *state, unsigned count);
	/* Whether a run of ours is in progress; NULL: never. */
	bool (*is_busy)(void *state);
	/* Let what must end end, and begin to close its handles; NULL: it has none. */
	void (*close)(void *state);
	/* Free it, once they are closed. */
	void (*free)(void *state);
};

/* Patience: how long to go on with what may work later. */
struct ask *ask_new(const void *ctx, int64_t patience_ms);

/*
 * Ask the daemon at `server`: "http://host:8432", "host:8432" or "unix:/path". `token` may
 * be NULL. CONFIGURATION when that is no address.
 */
int ask_use_http(
    struct ask *ask, const char *server, const char *token, struct err *err) MUST_CHECK;

/*
 * Do it here, with that configuration, which is taken. A --ephemeral server lives until
 * ask_close.
 */
int ask_use_local(struct ask *ask, struct config *config, struct err *err) MUST_CHECK;

/* For these two alone: take the backend. */
void ask_set_backend(struct ask *ask, const struct ask_backend *backend, void *state);
uv_loop_t *ask_loop(struct ask *ask);

/* Whether the work is done here. */
bool ask_is_local(const struct ask *ask);

/*
 * Put a question. The answer belongs to `ctx`, its document goes with it. -1 only when
 * there is none.
 */
int ask_put(struct ask *ask, const struct question *question, const void *ctx,
    struct answer *answer, struct err *err) MUST_CHECK;

/*
 * Whether to put that question again, whose answer may be another one soon: not a rollback, and
 * while there is patience and no signal. Then `pause_ms` have passed.
 */
bool ask_may_repeat(struct ask *ask, const struct question *question, int64_t pause_ms);

/* Let the loop turn until something happened, for `ms` at the most. */
void ask_turn(struct ask *ask, int64_t ms);

/* Let it turn for `ms`, or until a signal comes. */
void ask_pause(struct ask *ask, int64_t ms);

/* How many signals came. */
unsigned ask_interrupts(const struct ask *ask);

/* CANCELLED with exit code ASK_INTERRUPTED when a signal came. */
int ask_check_interrupt(const struct ask *ask, struct err *err) MUST_CHECK;

/* Close everything and free it. NULL is fine. */
void ask_close(struct ask *ask);
