/* SPDX-License-Identifier: PostgreSQL */
#pragma once

/*
 * The body of a request that changes something: one flat JSON object. Each route says
 * which members it takes; anything else is refused, for a misspelt dry_run must not run
 * for real.
 *
 *	struct body body;
 *
 *	if (body_parse(request, BODY_OF_APPLY, &body) < 0)
 *		return;
 */

#include "http/request.h"

/* All members that a body may have; NULL and false where it has none of them. */
struct body {
	const char *target;
	const char *version;
	const char *migration;
	const char *mode;   /* "graceful" or "now" */
	const char *action; /* see struct run_request */
	const char *to;
	const char *reason;
	unsigned steps;  /* 0: not said */
	unsigned phases; /* set of them; 0: not said */
	unsigned phase;  /* set of this one; likewise */
	bool dry_run;
	bool all;
	bool force;
	bool verify;
};

/* The routes, by what they take. */
enum body_kind {
	BODY_OF_APPLY,
	BODY_OF_BASELINE,
	BODY_OF_CANCEL,
	BODY_OF_REPAIR,
	BODY_OF_ROLLBACK,
	BODY_OF_NONE
};

/*
 * Read it, owned by the request; an empty body stands for {}. -1 with a reply (400)
 * made.
 */
int body_parse(
    struct request *request, enum body_kind kind, struct body *body) MUST_CHECK;
