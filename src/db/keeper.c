/* SPDX-License-Identifier: PostgreSQL */
#include "db/keeper.h"

#include <assert.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"
#include "db/connect.h"

#define KEEPER_MAGIC 0x4b454550u

/* After a renewal that did not work. */
#define AGAIN_MS 1000

struct keeper {
	unsigned magic;
	uv_loop_t *loop;
	uv_timer_t timer;
	const struct target_params *params;
	struct lock *lock;
	void (*fn)(void *arg);
	void *arg;

	struct pgconn *conn; /* NULL: to be made */
	void *scratch;
	int64_t sent_mono_us;
};

static void on_timer(uv_timer_t *timer);
static void on_renewed(void *arg, const struct pgconn_reply *reply);

static struct keeper *
keeper_of(void *arg)
{
	struct keeper *keeper = arg;

	assert(keeper->magic == KEEPER_MAGIC);
	return keeper;
}

static void
keeper_lost(struct keeper *keeper)
{
	uv_timer_stop(&keeper->timer);
	log_error("the lock is lost: it could not be renewed in time");
	keeper->fn(keeper->arg);
}

/* It did not work: again soon, while nobody else can have it. */
static void
keeper_again(struct keeper *keeper, const struct err *err)
{
	pgconn_close(keeper->conn);
	keeper->conn = NULL;
	if (!lock_is_sure(keeper->lock, clock_mono_us())) {
		keeper_lost(keeper);
		return;
	}
	log_warning_with(err, "the lock could not be renewed, trying again");
	uv_timer_start(&keeper->timer, on_timer, AGAIN_MS, 0);
}

static void
keeper_renew(struct keeper *keeper)
{
	struct pgconn_statement renew;

	talloc_free_children(keeper->scratch);
	renew = keeper->lock->ops->renew(keeper->scratch, keeper->lock);
	keeper->sent_mono_us = clock_mono_us();
	pgconn_run(keeper->conn, &renew, on_renewed, keeper);
	/* a silent server is noticed before the lock is over */
	uv_timer_start(&keeper->timer, on_timer, keeper->lock->ops->renew_ms, 0);
}

static void
on_renewed(void *arg, const struct pgconn_reply *reply)
{
	struct keeper *keeper = keeper_of(arg);

	if (err_is_set(&reply->err))
		keeper_again(keeper, &reply->err);
	else if (!lock_renewed(keeper->lock, reply->result, keeper->sent_mono_us))
		keeper_lost(keeper);
	else
		uv_timer_start(&keeper->timer, on_timer, keeper->lock->ops->renew_ms, 0);
}

static void
on_open(void *arg, const struct pgconn_reply *reply)
{
	struct keeper *keeper = keeper_of(arg);

	if (err_is_set(&reply->err))
		keeper_again(keeper, &reply->err);
	else
		keeper_renew(keeper);
}

static void
on_timer(uv_timer_t *timer)
{
	struct keeper *keeper = keeper_of(timer->data);
	struct err err = { 0 };

	if (keeper->conn != NULL && pgconn_is_busy(keeper->conn)) {
		err_set(&err, CAT_NETWORK_ERROR, "no answer from %s",
		    pgconn_describe(keeper->conn));
		keeper_again(keeper, &err);
		return;
	}
	if (keeper->conn != NULL && pgconn_is_open(keeper->conn)) {
		keeper_renew(keeper);
		return;
	}
	pgconn_close(keeper->conn);
	keeper->conn = pgconn_new(keeper->loop);
	if (connect_start(keeper->conn, keeper->params, on_open, keeper, &err) < 0)
		keeper_again(keeper, &err);
}

struct keeper *
keeper_start(uv_loop_t *loop, const struct target_params *params, struct lock *lock,
    void (*fn)(void *arg), void *arg)
{
	struct keeper *keeper = mem_zero(NULL, struct keeper);

	keeper->magic = KEEPER_MAGIC;
	keeper->loop = loop;
	keeper->params = params;
	keeper->lock = lock;
	keeper->fn = fn;
	keeper->arg = arg;
	keeper->scratch = mem_context(keeper, "renewal");
	uv_timer_init(loop, &keeper->timer);
	keeper->timer.data = keeper;
	uv_timer_start(&keeper->timer, on_timer, lock->ops->renew_ms, 0);
	return keeper;
}

static void
on_timer_closed(uv_handle_t *handle)
{
	struct keeper *keeper = keeper_of(handle->data);

	keeper->magic = 0;
	talloc_free(keeper);
}

void
keeper_close(struct keeper *keeper)
{
	if (keeper == NULL)
		return;
	pgconn_close(keeper->conn);
	keeper->conn = NULL;
	uv_close((uv_handle_t *)&keeper->timer, on_timer_closed);
}
