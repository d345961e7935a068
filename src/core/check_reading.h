/* SPDX-License-Identifier: PostgreSQL */
#pragma once

/*
 * What a check has to read and to hash before it can be built: the snapshots beside the
 * migrations, and what files that changed would hash to with other line ends. Both may be hundreds
 * of megabytes, so it is done a piece at a time, with what an earlier check has read already.
 *
 *	check_reading_begin(reading);
 *	while (!check_reading_step(reading, status, BOUND_CHECK_TURN_BYTES))
 *		...		a turn of the loop; the status may be another one then
 *	input.reading = reading;	to check_build
 */

#include "core/eol.h"
#include "core/snapshot.h"
#include "core/status.h"

struct check_reading;

/* Nothing read. Owned by `ctx`. */
struct check_reading *check_reading_new(const void *ctx);

/* Files are to be looked at again; nothing where that is under way. */
void check_reading_begin(struct check_reading *reading);

/* It has begun, and is not at its end. */
bool check_reading_is_busy(const struct check_reading *reading);

/*
 * Go on, for about so many bytes. True: all is there for a check of that status. Where its folder
 * is another one since, or has changed, it begins again by itself; not where the same was scanned
 * once more, or it might never end.
 */
bool check_reading_step(
    struct check_reading *reading, const struct status *status, size_t budget);

/* NULL: the layout keeps none, or the folder cannot be opened. Until the next begin. */
const struct snapshot_list *check_reading_snapshots(const struct check_reading *reading);

/* Of that migration's text; NULL: it had not changed. Until the next begin. */
const struct eol *check_reading_eol(
    const struct check_reading *reading, const struct migration *m);
