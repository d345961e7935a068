/* SPDX-License-Identifier: PostgreSQL */
#pragma once

/*
 * The service: a target and the API that answers for it, on the owner's loop. It is what
 * api_ops means. The daemon puts listeners, the watch and signals around it; migrationctl
 * without a server calls its handlers in its own process.
 *
 *	struct service service;
 *
 *	service_init(&service, ctx, &loop, &owner);
 *	service_configure(&service, config);
 *	... service.api to httpd_new, or a request_new of one's own
 *	target_close(service.target);
 */

#include <uv.h>

#include "daemon/config.h"
#include "daemon/target.h"
#include "daemon/token.h"
#include "http/api.h"

/* What the service needs of whoever has it. */
struct service_owner {
	void (*on_change)(void *arg); /* something that the status shows is another now */
	int (*reload)(void *arg, struct err *err); /* as in struct api_ops */
	void *arg;
};

struct service {
	struct service_owner owner;
	const struct config *config; /* in force */
	struct metrics *metrics;
	struct target *target;
	struct api api;
	struct token token;
	const void *ctx; /* of what is read again */
	int64_t
	    heartbeat_us; /* when the loop last turned, monotonic: the owner sets it */
};

/*
 * Metrics (owned by `ctx`), target (it frees itself once closed) and API. The struct must
 * outlive both.
 */
void service_init(struct service *service, const void *ctx, uv_loop_t *loop,
    const struct service_owner *owner);

/*
 * Use a configuration, which must outlive the service or the next call: the folder is
 * read and the database looked at.
 */
void service_configure(struct service *service, const struct config *config);
