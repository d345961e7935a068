/* SPDX-License-Identifier: PostgreSQL */
#include "daemon/listeners.h"

#include "base/log.h"

/* Serve on a socket; it is closed when that fails. */
static int
serve(struct listeners *listeners, struct httpd *httpd, int fd, bool is_probe,
    struct err *err)
{
	const struct listen_address *address = &listeners->addresses[listeners->n];
	struct listener_facts facts = { .is_probe = is_probe,
		.is_unix = address->is_unix };

	if (httpd_add_listener(httpd, fd, &facts, err) < 0)
		return -1;
	log_info(is_probe ? "listening for probes" : "listening",
	    LOG_STR("address", address->text));
	listeners->hosts[listeners->n++] = address->host;
	return 0;
}

static int
open_configured(struct listeners *listeners, const void *ctx, struct httpd *httpd,
    const char **texts, bool is_probe, struct err *err)
{
	for (size_t i = 0; texts != NULL && texts[i] != NULL; i++) {
		struct listen_address *address = &listeners->addresses[listeners->n];
		int fd = -1;

		if (listen_parse(ctx, texts[i], address, err) < 0 ||
		    listen_open(address, &fd, err) < 0 ||
		    serve(listeners, httpd, fd, is_probe, err) < 0)
			return -1;
	}
	return 0;
}

/* A socket of systemd may be as open to others as one of ours: the same rule holds. */
static int
adopt_inherited(struct listeners *listeners, const void *ctx, struct httpd *httpd,
    const struct config *config, int fd, bool is_probe, struct err *err)
{
	struct listen_address *address = &listeners->addresses[listeners->n];

	if (listen_describe(ctx, fd, address, err) < 0 ||
	    (!is_probe &&
		listen_check_exposure(
		    address, config->token != NULL, config->insecure, err) < 0))
		return -1;
	return serve(listeners, httpd, fd, is_probe, err);
}

int
listeners_open(struct listeners *listeners, const void *ctx, struct httpd *httpd,
    const struct config *config, struct err *err)
{
	bool is_probe[2 * BOUND_LISTENERS];
	int n = listen_inherited(is_probe, (int)ARRAY_SIZE(is_probe));

	for (int i = 0; i < n; i++)
		if (adopt_inherited(listeners, ctx, httpd, config, LISTEN_FDS_START + i,
			is_probe[i], err) < 0)
			return -1;
	if (n > 0)
		return 0;
	if (open_configured(listeners, ctx, httpd, config->listen, false, err) < 0)
		return -1;
	return open_configured(listeners, ctx, httpd, config->probe_listen, true, err);
}

void
listeners_unlink(const struct listeners *listeners)
{
	for (size_t i = 0; i < listeners->n; i++)
		listen_unlink(&listeners->addresses[i]);
}
