/* SPDX-License-Identifier: PostgreSQL */
#pragma once

/*
 * A verification: does the database have what the folder would have made? Before a baseline
 * records anything.
 *
 *	statements  what leftovers there are, and how a scratch database is made
 *	make        drop those, CREATE DATABASE, its settings
 *	apply       the schema's folder, by a run of its own (db/runner.h), up to the same point
 *	catalogs    both are read (db/catalog.h) and compared (core/drift.h)
 *	drop        the scratch database again, however it went
 *
 *	verify = verify_start(loop, params, run, folder, on_verified, me);
 *	...
 *	static void on_verified(void *arg, const struct err *err)
 *	{
 *		if (err_is_set(err)) ... run->differences has them
 *	}
 *
 * It has a connection of its own, to the database in question, of which it only reads.
 * What a killed daemon leaves behind, the next verification on that server drops: known by
 * its name, which says which session made it.
 */

#include "core/folder.h"
#include "core/run.h"
#include "db/target_params.h"
#include <uv.h>

struct verify;

/* Verified; or why not, which is a refusal (409, EXIT_REFUSED) or a lost connection. */
typedef void verify_fn(void *arg, const struct err *err);

/*
 * Start, for a baseline: `run` says up to where, and is given the differences. Takes a
 * reference of run and folder, and a copy of `params`. `fn` is called once, from the loop,
 * when the scratch database is gone again; then the verification frees itself.
 */
struct verify *verify_start(uv_loop_t *loop, const struct target_params *params,
    struct run *run, struct folder *folder, verify_fn *fn, void *arg);

/* End it early: `fn` is called with CANCELLED, once the scratch database is dropped. */
void verify_cancel(struct verify *verify, const char *reason);

/* The same, and nobody wants to hear of it any more: `fn` is not called. NULL is fine. */
void verify_abandon(struct verify *verify);
