/* SPDX-License-Identifier: PostgreSQL */
#include <stdlib.h>
#include <string.h>

#include "base/bounds.h"
#include "base/file.h"
#include "base/mem.h"
#include "core/layout.h"
#include "daemon/config_sources.h"
#include "daemon/listen.h"
#include "db/pgconn_info.h"
#include "db/tracking.h"

/* Longest name in PostgreSQL (NAMEDATALEN - 1): it would cut a longer one without a word. */
#define IDENTIFIER_BYTES 63

static const char *
origin_of(const struct config *config, const char *name)
{
	return config->origins[option_find(name) - option_table];
}

/* Say which option, and where its value stands. Returns -1. */
static int
wrap_option(const struct config *config, const char *name, struct err *err)
{
	const char *origin = origin_of(config, name);
	char buf[64];

	if (strcmp(origin, "flag") == 0)
		return err_wrap(
		    err, "%s", option_flag(option_find(name), buf, sizeof(buf)));
	if (strncmp(origin, "env ", 4) == 0)
		return err_wrap(err, "%s", origin + 4);
	if (strncmp(origin, "file:", 5) == 0)
		err_where(
		    err, config->config_path, (unsigned)strtoul(origin + 5, NULL, 10));
	return err_wrap(err, "%s", name);
}

/* The text of a choice; NULL for the first, auto. */
static const char *
choice_name(struct config *config, const char *option, int index)
{
	return index > 0 ? option_text(config, option_find(option), config) : NULL;
}

static int
check_url(struct config *config, const char *name, const char **url, struct err *err)
{
	struct pgconn_params params = { .conninfo = *url };
	struct pgconn_info *info = NULL;
	char flag[64];

	if (!*url)
		return 0;
	if (pgconn_info_read(config, &params, &info, err) < 0)
		return wrap_option(config, name, err);
	if (!config->ephemeral)
		return 0;
	if (strcmp(origin_of(config, name), "flag") == 0) {
		err_set(err, CAT_CONFIGURATION, "%s and ephemeral exclude each other",
		    option_flag(option_find(name), flag, sizeof(flag)));
		err_hint(err, "leave one out: ephemeral starts a database of its own");
		return -1;
	}
	config_warn(config, "%s (%s) is not used: ephemeral starts a database of its own",
	    name, origin_of(config, name));
	*url = NULL;
	return 0;
}

static int
check_identifier(const char *option, const char *name, struct err *err)
{
	if (!name || strlen(name) <= IDENTIFIER_BYTES)
		return 0;
	return err_set(err, CAT_CONFIGURATION, "%s: \"%.100s\" is longer than %d bytes",
	    option, name, IDENTIFIER_BYTES);
}

/* A tracking table that records what one layout alone has does not go with another. */
static int
check_tracking(struct config *config, struct err *err)
{
	const struct layout *layout = NULL;
	const struct tracking *kind = NULL;

	config->layout_name = choice_name(config, "layout", config->layout);
	config->tracking_name = choice_name(config, "tracking", config->tracking);
	if (check_identifier("tracking_schema", config->tracking_schema, err) < 0 ||
	    check_identifier("tracking_table", config->tracking_table, err) < 0)
		return -1;
	if (config->guard && config->tracking_name &&
	    !tracking_find(config->tracking_name)->guard_columns) {
		err_set(err, CAT_CONFIGURATION, "guard does not go with tracking = %s",
		    config->tracking_name);
		err_hint(err, "leave guard off: only drizzle-orm's table needs it");
		return -1;
	}
	if (!config->layout_name || !config->tracking_name)
		return 0;
	layout = layout_find(config->layout_name);
	kind = tracking_find(config->tracking_name);
	if (!kind->needs_layout || strcmp(kind->needs_layout, layout->name) == 0)
		return 0;
	err_set(err, CAT_CONFIGURATION,
	    "tracking = %s does not go with layout = %s: "
	    "its rows hold what only layout = %s has",
	    kind->name, layout->name, kind->needs_layout);
	err_hint(err, "use tracking = %s, or auto", layout->tracking);
	return -1;
}

/* A one-line file that nobody else may read. */
static int
read_secret(
    const void *ctx, const char *option, const char *path, char **secret, struct err *err)
{
	bool loose = false;

	if (file_read_secret(ctx, path, secret, &loose, err) < 0) {
		err->category = CAT_CONFIGURATION;
		return err_wrap(err, "%s", option);
	}
	if (!loose)
		return 0;
	err_set(err, CAT_CONFIGURATION, "%s: everybody may read %s", option, path);
	err_hint(
	    err, "chmod 640 %s (in Kubernetes: defaultMode: 0440 of the volume)", path);
	return -1;
}

static int
check_secrets(struct config *config, struct err *err)
{
	char *secret = NULL;

	if (config->password_file) {
		if (read_secret(
			config, "password_file", config->password_file, &secret, err) < 0)
			return -1;
		talloc_free(secret); /* each connection reads it anew */
	}
	if (!config->token_file)
		return 0;
	if (read_secret(config, "token_file", config->token_file, &secret, err) < 0)
		return -1;
	config->token = secret;
	/* RFC 6750 section 2.1 allows fewer still; these could not even be sent */
	for (const char *c = secret; *c; c++) {
		if (*c <= ' ' || *c > '~')
			return err_set(err, CAT_CONFIGURATION,
			    "token_file: the token in %s has a character that no header carries",
			    config->token_file);
	}
	return 0;
}

static int
check_listeners(struct config *config, const char *option, const char *const *list,
    bool writes, struct err *err)
{
	for (size_t i = 0; list && list[i]; i++) {
		struct listen_address address;

		if (i >= BOUND_LISTENERS)
			return err_set(err, CAT_CONFIGURATION,
			    "%s: more than %u addresses", option, BOUND_LISTENERS);
		if (listen_parse(config, list[i], &address, err) < 0)
			return wrap_option(config, option, err);
		if (writes &&
		    listen_check_exposure(
			&address, config->token != NULL, config->insecure, err) < 0)
			return wrap_option(config, option, err);
	}
	return 0;
}

static int
check_set(const char *option, bool is_set, struct err *err)
{
	return is_set ? 0
		      : err_set(err, CAT_CONFIGURATION, "%s must not be empty", option);
}

int
config_check(struct config *config, struct err *err)
{
	if (check_set("migrations", config->migrations, err) < 0 ||
	    check_set("listen", config->listen, err) < 0)
		return -1;
	if (check_url(config, "database_url", &config->database_url, err) < 0 ||
	    check_url(config, "database_direct_url", &config->database_direct_url, err) <
		0 ||
	    check_tracking(config, err) < 0 || check_secrets(config, err) < 0)
		return -1;
	/* nothing can be changed through the probe listener */
	if (check_listeners(
		config, "listen", (const char *const *)config->listen, true, err) < 0)
		return -1;
	return check_listeners(config, "probe_listen",
	    (const char *const *)config->probe_listen, false, err);
}
