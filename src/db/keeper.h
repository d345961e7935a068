/* SPDX-License-Identifier: PostgreSQL */
#pragma once

/*
 * The keeper renews a lock that does not keep itself (a lease), over a connection of its own,
 * so that it goes on while a statement of the run takes hours.
 *
 *	keeper = keeper_start(loop, params, &lock, on_lost, me);
 *	...
 *	keeper_close(keeper);
 *
 * A renewal that fails is tried again as long as the lock is sure (lock_is_sure); then, or when
 * the server says that another has it, `fn` is called, once.
 */

#include <uv.h>

#include "db/lock.h"

struct keeper;

/* `params` and `lock` are borrowed and must outlive the keeper. */
struct keeper *keeper_start(uv_loop_t *loop, const struct target_params *params,
    struct lock *lock, void (*fn)(void *arg), void *arg);

/* Close and free; NULL is fine. */
void keeper_close(struct keeper *keeper);
