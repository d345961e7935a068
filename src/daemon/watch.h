/* SPDX-License-Identifier: PostgreSQL */
#pragma once

/*
 * Watching the folder, and the folders in it: of the journal, of each migration. An event is
 * only a hint: after `settle_ms` of quiet the function is called, which rescans; a timer calls
 * it too, because a swapped link above the folder (git-sync), NFS and overlay file systems give
 * no events. After each scan the owner says which directory it read (watch_rearm), so that a
 * folder that was deleted and made again, or whose link was swapped, is watched anew.
 *
 *	watch = watch_new(loop, path, settle_ms, rescan_ms, on_watch, me);
 *
 *	static void on_watch(void *arg, enum metrics_scan trigger)
 *	{
 *		... read the folder ...
 *		watch_rearm(me->watch, folder->device, folder->inode);
 *		if (moving)
 *			watch_again(me->watch);
 *	}
 */

#include <sys/types.h>
#include <uv.h>

#include "http/metrics.h"

struct watch;

typedef void watch_fn(void *arg, enum metrics_scan trigger);

/* Starts; a folder that does not exist yet is found by the timer. The owner reads it a first time
 * itself and calls watch_rearm. */
struct watch *watch_new(uv_loop_t *loop, const char *path, int64_t settle_ms,
    int64_t rescan_ms, watch_fn *fn, void *arg);

/* The directory that the last scan read: watch that one, and at most BOUND_WATCHED_FOLDERS in
 * it. Cheap when they are the same; for a new one there is one more scan after settle_ms, for
 * what changed before it was watched. Device and inode 0: there was none. */
void watch_rearm(struct watch *watch, dev_t device, ino_t inode);

/* Call again after settle_ms: the last scan saw files that were still moving. */
void watch_again(struct watch *watch);

/* The timeout of a timer that is to fire when settle_ms have passed from now on, and no earlier:
 * libuv counts from when this turn of the loop began, and a scan may have taken long since. */
uint64_t watch_settle_timeout(const uv_loop_t *loop, uint64_t settle_ms);

/* Close; it frees itself when its handles are closed. NULL is fine. */
void watch_close(struct watch *watch);
