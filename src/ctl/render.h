/* SPDX-License-Identifier: PostgreSQL */
#pragma once

/*
 * The documents of the API as text for people. Pure: a document goes in, text comes out;
 * what a document does not have is left out, so an older or newer daemon is no problem.
 *
 *	render_migrations.c   status, migrations, plan
 *	render_check.c        the check
 *	render_run.c          runs and problems
 *	render_facts.c        configuration, version, probes
 */

#include <jansson.h>

#include "ctl/paint.h"

typedef void render_fn(struct paint *out, const json_t *document);

render_fn render_status;
render_fn render_migrations; /* GET /migrations */
render_fn render_migration;
render_fn render_plan;
render_fn render_run;
render_fn render_runs; /* GET /runs */
render_fn render_check;
render_fn render_config;
render_fn render_version;
render_fn render_checks; /* GET /readyz */

/*
 * The migrations of a status screen: those that are not settled, then the newest of the
 * others, `rows` in all. `document` is that of GET /migrations.
 */
void render_screenful(struct paint *out, const json_t *document, size_t rows);

/* One line of a run: "apply 01a1... succeeded 2026-11-20 05:58:12Z, 3 migrations in 2.6 s". */
render_fn render_run_line;

/* A problem document: what, where, and what to do next. */
render_fn render_problem;

/* The same without what to do, where that is part of what is `advised` below it. */
void render_problem_but(struct paint *out, const json_t *document, const char *advised);

/* How far its statement, or its batches are: the run's member "progress". */
render_fn render_progress;

/* How long a run's statement waits for whom, and how far it is. */
render_fn render_wait;
