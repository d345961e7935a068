/* SPDX-License-Identifier: PostgreSQL */
#pragma once

/*
 * A run as it goes, told from the documents of GET /runs/{id}: a line for each event that
 * the next document shows, and a bar for a terminal. Pure: documents go in, text comes
 * out.
 *
 *	struct progress progress = { 0 };
 *
 *	progress_feed(&progress, run, now_mono_us, &lines);
 *	progress_bar(&progress, run, now_mono_us, columns, &bar);
 */

#include <stddef.h>
#include <stdint.h>

#include <jansson.h>

#include "ctl/paint.h"

/* What the documents so far have shown. Begins zeroed but for has_bar. */
struct progress {
	bool has_bar; /* it shows what runs, so no line has to */
	bool began;
	bool ended;
	size_t n_applied;
	size_t n_failures;
	size_t n_warnings;
	int64_t blocker; /* pid of the first, 0: none */
	int64_t attempts;
	char holder[256]; /* of the lock that is waited for */
	char current[256];
	char phase[128];
	int64_t phase_mono_us;   /* when it was told */
	int64_t current_mono_us; /* when `current` was first seen */
};

/* Add the lines of what is new. */
void progress_feed(
    struct progress *progress, const json_t *run, int64_t now_mono_us, struct paint *out);

/* One line of at most `columns`, without a line break. */
void progress_bar(const struct progress *progress, const json_t *run, int64_t now_mono_us,
    size_t columns, struct paint *out);
