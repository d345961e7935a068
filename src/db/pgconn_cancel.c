/* SPDX-License-Identifier: PostgreSQL */
#include <assert.h>

#include "base/log.h"
#include "base/mem.h"
#include "db/pgconn_internal.h"

#define CANCEL_MAGIC 0x63616e63u

/* How long the server may take to end a command once it is asked to. */
#define CANCEL_PATIENCE_MS 10000

static void
cancel_work(uv_work_t *work)
{
	struct cancel *cancel = CONTAINER_OF(work, struct cancel, work);

	cancel->sent = PQcancel(cancel->request, cancel->error, sizeof(cancel->error));
}

static void
on_cancel_sent(uv_work_t *work, int status UNUSED)
{
	struct cancel *cancel = CONTAINER_OF(work, struct cancel, work);
	struct pgconn *conn = cancel->conn;

	assert(cancel->magic == CANCEL_MAGIC);
	if (!cancel->sent)
		log_warning("cancel request failed", LOG_STR("error", cancel->error));
	PQfreeCancel(cancel->request);
	cancel->magic = 0;
	talloc_free(cancel);
	if (!conn)
		return;
	conn->cancel = NULL;
	if (conn->stage == pgconn_stage_hold)
		pgconn_do(conn);
}

void
pgconn_cancel(struct pgconn *conn)
{
	PGcancel *request = NULL;
	struct cancel *cancel = NULL;

	if (conn->stage != pgconn_stage_command || conn->cancel)
		return;
	request = PQgetCancel(conn->pq);
	if (!request)
		return;
	cancel = mem_zero(NULL, struct cancel);
	cancel->magic = CANCEL_MAGIC;
	cancel->request = request;
	cancel->conn = conn;
	conn->cancel = cancel;
	/* fails only without a work function */
	(void)uv_queue_work(conn->loop, &cancel->work, cancel_work, on_cancel_sent);
	/* then nothing came of it: the server, or the way there, is silent */
	pgconn_set_deadline(conn, CANCEL_PATIENCE_MS);
}
