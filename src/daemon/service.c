/* SPDX-License-Identifier: PostgreSQL */
#include "daemon/service.h"

#include "base/clock.h"
#include "base/mem.h"
#include "daemon/options.h"
#include "db/pgconn.h"

static struct service *
service_of(void *arg)
{
	return arg;
}

static const struct status *
op_status(void *arg)
{
	struct service *service = service_of(arg);

	service->metrics->connects = pgconn_connects();
	service->metrics->connect_failures = pgconn_connect_failures();
	return target_status(service->target);
}

static struct run *
op_run_start(void *arg, const struct run_request *request, bool *joined, struct err *err)
{
	return target_run_start(service_of(arg)->target, request, joined, err);
}

static void
op_look_ahead(void *arg, const struct run_request *request, const void *ctx,
    struct outlook *outlook)
{
	target_look_ahead(service_of(arg)->target, request, ctx, outlook);
}

static struct run *
op_run_cancel(void *arg, const char *id, bool now, const char *peer, struct err *err)
{
	return target_cancel(service_of(arg)->target, id, now, peer, err);
}

static void
op_refresh(void *arg)
{
	target_refresh(service_of(arg)->target);
}

static const char *
op_token(void *arg)
{
	return token_now(&service_of(arg)->token);
}

static int64_t
op_heartbeat_age_us(void *arg)
{
	return clock_mono_us() - service_of(arg)->heartbeat_us;
}

static struct api_setting *
op_settings(void *arg, const void *ctx, size_t *n)
{
	const struct config *config = service_of(arg)->config;
	struct api_setting *settings = mem_array(ctx, struct api_setting, option_count);

	*n = 0;
	for (size_t i = 0; i < option_count; i++) {
		if (option_table[i].flags & OPTION_FLAG_ONLY)
			continue;
		settings[(*n)++] = (struct api_setting){
			.name = option_table[i].name,
			.value = config_value_text(ctx, config, i),
			.origin = config->origins[i],
			.reloadable = (option_table[i].flags & OPTION_RELOAD) != 0,
		};
	}
	return settings;
}

static int
op_reload(void *arg, struct err *err)
{
	const struct service_owner *owner = &service_of(arg)->owner;

	return owner->reload(owner->arg, err);
}

static const struct api_ops service_ops = {
	.status = op_status,
	.run_start = op_run_start,
	.look_ahead = op_look_ahead,
	.run_cancel = op_run_cancel,
	.refresh = op_refresh,
	.reload = op_reload,
	.settings = op_settings,
	.token = op_token,
	.heartbeat_age_us = op_heartbeat_age_us,
};

void
service_init(struct service *service, const void *ctx, uv_loop_t *loop,
    const struct service_owner *owner)
{
	struct metrics *metrics = metrics_new(ctx, clock_now_us());

	*service = (struct service){
		.owner = *owner,
		.ctx = ctx,
		.metrics = metrics,
		.target = target_new(loop, metrics, owner->on_change, owner->arg),
		.heartbeat_us = clock_mono_us(),
	};
	service->api = (struct api){
		.ops = &service_ops,
		.app = service,
		.metrics = metrics,
		.now_mono_us = clock_mono_us,
	};
}

void
service_configure(struct service *service, const struct config *config)
{
	service->config = config;
	service->api.guard.has_token = config->token != NULL;
	token_use(&service->token, service->ctx, config->token_file, config->token);
	service->api.guard.allowed_hosts = config->allowed_hosts;
	target_configure(service->target, config);
}
