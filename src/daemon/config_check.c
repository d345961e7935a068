/* SPDX-License-Identifier: PostgreSQL */
#include <stdlib.h>
#include <string.h>

#include "base/bounds.h"
#include "base/mem.h"
#include "base/utf8.h"
#include "core/layout.h"
#include "daemon/config_sources.h"
#include "daemon/listen.h"
#include "db/tracking.h"

/* Longest name in PostgreSQL (NAMEDATALEN - 1): it would cut a longer one without a word. */
#define IDENTIFIER_BYTES 63

int
config_wrap(const struct config *config, const char *name, struct err *err)
{
	const char *origin = config->origins[option_find(name) - option_table];
	char buf[OPTION_NAME];

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
check_identifier(const char *option, const char *name, struct err *err)
{
	if (!name || strlen(name) <= IDENTIFIER_BYTES)
		return 0;
	return err_set(err, CAT_CONFIGURATION, "%s: \"%.100s\" is longer than %d bytes",
	    option, name, IDENTIFIER_BYTES);
}

/* What the server is told; it would refuse each statement that has it. */
static int
check_utf8(
    const struct config *config, const char *option, const char *text, struct err *err)
{
	size_t offset = 0;

	if (text == NULL || utf8_is_valid(text, strlen(text), &offset))
		return 0;
	err_set(err, CAT_CONFIGURATION, "byte %zu is not UTF-8", offset + 1);
	return config_wrap(config, option, err);
}

/* A tracking table that records what one layout alone has does not go with another. */
static int
check_tracking(struct config *config, struct err *err)
{
	const struct layout *layout = NULL;
	const struct tracking *kind = NULL;

	config->layout_name = choice_name(config, "layout", config->layout);
	config->tracking_name = choice_name(config, "tracking", config->tracking);
	if (check_utf8(config, "tracking_schema", config->tracking_schema, err) < 0 ||
	    check_utf8(config, "tracking_table", config->tracking_table, err) < 0 ||
	    check_identifier("tracking_schema", config->tracking_schema, err) < 0 ||
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
			return config_wrap(config, option, err);
		if (writes &&
		    listen_check_exposure(
			&address, config->token != NULL, config->insecure, err) < 0)
			return config_wrap(config, option, err);
	}
	return 0;
}

/* "001-009", or "7" alone. */
static int
check_immutable(struct config *config, struct err *err)
{
	struct plan_range *range = &config->immutable_range;
	unsigned long long from = 0, to = 0;
	int end = 0;

	*range = (struct plan_range){ 0 };
	if (!config->immutable)
		return 0;
	if (sscanf(config->immutable, "%18llu%n", &from, &end) == 1)
		to = from;
	if (config->immutable[end] == '-') {
		const char *rest = config->immutable + end + 1;

		if (sscanf(rest, "%18llu%n", &to, &end) != 1)
			to = 0;
		end += (int)(rest - config->immutable);
	}
	if (to > 0 && to >= from && config->immutable[end] == '\0') {
		*range = (struct plan_range){ (int64_t)from, (int64_t)to };
		return 0;
	}
	err_set(err, CAT_CONFIGURATION, "immutable: \"%s\" is no range of numbers",
	    config->immutable);
	err_hint(err, "write the first and the last number, as 001-009");
	return -1;
}

static int
check_manifest(const struct config *config, struct err *err)
{
	if (!config->manifest || !config->layout_name ||
	    layout_find(config->layout_name) == &layout_manifest)
		return 0;
	err_set(err, CAT_CONFIGURATION, "manifest does not go with layout = %s",
	    config->layout_name);
	err_hint(err, "leave one of them out");
	return -1;
}

static int
check_set(const char *option, bool is_set, struct err *err)
{
	return is_set ? 0
		      : err_set(err, CAT_CONFIGURATION, "%s must not be empty", option);
}

/* One folder for two phases would be run twice. */
static int
check_folders(const struct config *config, struct err *err)
{
	for (unsigned p = PHASE_DATA; p < PHASE_COUNT; p++) {
		const char *path = config_phase_path(config, p);

		if (path && !path[0])
			return check_set(phase_name(p), false, err);
		for (unsigned q = 0; path && q < p; q++) {
			const char *other = config_phase_path(config, q);

			if (!other || strcmp(path, other) != 0)
				continue;
			err_set(err, CAT_CONFIGURATION,
			    "%s has the folder of another phase: %s", phase_name(p),
			    path);
			err_hint(err, "each needs a folder of its own");
			return config_wrap(config, phase_name(p), err);
		}
	}
	return 0;
}

int
config_check(struct config *config, struct err *err)
{
	if (check_folders(config, err) < 0)
		return -1;
	if (check_set("migrations", config->migrations, err) < 0 ||
	    check_set("listen", config->listen, err) < 0)
		return -1;
	if (check_utf8(config, "instance", config->instance, err) < 0)
		return -1;
	if (config_check_secrets(config, err) < 0 || check_tracking(config, err) < 0 ||
	    check_manifest(config, err) < 0 || check_immutable(config, err) < 0)
		return -1;
	/* nothing can be changed through the probe listener */
	if (check_listeners(
		config, "listen", (const char *const *)config->listen, true, err) < 0)
		return -1;
	return check_listeners(config, "probe_listen",
	    (const char *const *)config->probe_listen, false, err);
}
