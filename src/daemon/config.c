/* SPDX-License-Identifier: PostgreSQL */
#include "daemon/config.h"

#include <stdarg.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/mem.h"
#include "core/layout.h"
#include "daemon/config_sources.h"
#include "db/engine.h"

#define DEFAULT_PATH SYSCONFDIR "/migrationd/migrationd.conf"

int
config_put(struct config *config, const struct config_value *value, struct err *err)
{
	const struct option_row *row = value->row;
	const char **origin = &config->origins[row - option_table];
	struct config aside = { 0 };
	void *base = *origin ? &aside : config;
	int rc = value->is_list
	    ? option_set_list(config, row, base, value->texts, value->n, err)
	    : option_set(config, row, base, value->texts[0], err);

	if (rc == 0 && !*origin)
		*origin = mem_strdup(config, value->origin);
	return rc;
}

void
config_warn(struct config *config, const char *fmt, ...)
{
	const char *warning = NULL;
	va_list ap;

	va_start(ap, fmt);
	warning = talloc_vasprintf(config, fmt, ap);
	va_end(ap);
	config->warnings =
	    mem_grow(config, config->warnings, const char *, config->n_warnings + 1);
	config->warnings[config->n_warnings++] = warning;
}

void
config_log_warnings(const struct config *config)
{
	for (size_t i = 0; i < config->n_warnings; i++)
		log_warning(config->warnings[i], LOG_STR("category", "CONFIGURATION"));
}

static int
set_defaults(struct config *config, struct err *err)
{
	for (size_t i = 0; i < option_count; i++) {
		struct config_value value = {
			.row = &option_table[i],
			.texts = &option_table[i].fallback,
			.origin = "default",
		};

		if (config_put(config, &value, err) < 0)
			return err_wrap(err, "default of %s", option_table[i].name);
	}
	return 0;
}

static int
load(struct config *config, const struct config_source *source, struct err *err)
{
	if (config_read_flags(config, source->argc, source->argv, err) < 0)
		return -1;
	if (config->help || config->version)
		return set_defaults(config, err);
	if (!config->config_path && access(DEFAULT_PATH, F_OK) == 0)
		config->config_path = DEFAULT_PATH;
	if (config_read_env(config, source->environ, err) < 0)
		return -1;
	if (config->config_path && config_read_file(config, config->config_path, err) < 0)
		return -1;
	if (config_read_credentials(config, source->environ, err) < 0 ||
	    set_defaults(config, err) < 0)
		return -1;
	return config_check(config, err);
}

int
config_load(const void *ctx, const struct config_source *source, struct config **out,
    struct err *err)
{
	struct config *config = mem_zero(ctx, struct config);

	config->origins = mem_array(config, const char *, option_count);
	if (load(config, source, err) < 0) {
		talloc_free(config);
		return -1;
	}
	*out = config;
	return 0;
}

int
config_check_reload(const struct config *old, const struct config *new, struct err *err)
{
	void *scratch = mem_context(NULL, "config_check_reload");
	int rc = 0;

	for (size_t i = 0; i < option_count && rc == 0; i++) {
		const struct option_row *row = &option_table[i];

		if (row->flags & (OPTION_RELOAD | OPTION_FLAG_ONLY))
			continue;
		if (strcmp(option_text(scratch, row, old),
			option_text(scratch, row, new)) == 0)
			continue;
		rc = err_set(err, CAT_CONFIGURATION,
		    "%s cannot change while the daemon runs", row->name);
		err_hint(err,
		    "restart migrationd; until then it goes on with the old configuration");
	}
	talloc_free(scratch);
	return rc;
}

const char *
config_phase_path(const struct config *config, enum phase phase)
{
	const char *const paths[PHASE_COUNT] = {
		[PHASE_SCHEMA] = config->migrations,
		[PHASE_DATA] = config->data,
		[PHASE_REPEATABLE] = config->repeatable,
		[PHASE_SEEDS] = config->seeds,
	};

	return paths[phase];
}

struct folder *
config_load_folder(const struct config *config, enum phase phase)
{
	const char *path = config_phase_path(config, phase);

	bool schema = phase == PHASE_SCHEMA;

	return path == NULL
	    ? NULL
	    : folder_load(path, schema ? config->layout_name : phase_layout(phase),
		  schema ? config->manifest : NULL, clock_now_us());
}

void
config_use_ephemeral(struct config *config, const char *url)
{
	config->database_url = url;
	config->origins[option_find("database_url") - option_table] = "ephemeral";
}

static unsigned
phases_of(const struct config *config)
{
	unsigned phases = 0;

	for (unsigned p = 0; p < PHASE_COUNT; p++)
		if (config_phase_path(config, p) != NULL)
			phases |= PHASE_BIT(p);
	return phases;
}

void
config_target_params(
    const struct config *config, const struct layout *layout, struct target_params *out)
{
	const char *tracking = config->tracking_name;

	if (!tracking)
		tracking = layout ? layout->tracking : layout_drizzle.tracking;
	*out = (struct target_params){
		.name = "default",
		.phases = phases_of(config),
		.database_url = config->database_url ? config->database_url : "",
		.direct_url = config->database_direct_url,
		.database_url_file = config->database_url_file,
		.direct_url_file = config->database_direct_url_file,
		.password_file = config->password_file,
		.password_command = config->password_command,
		.engine = config->engine > 0 ? engine_name((size_t)config->engine - 1)
					     : NULL,
		.tracking = tracking,
		.tracking_schema = config->tracking_schema,
		.tracking_table = config->tracking_table,
		.instance = config->instance,
		.journal = config->journal,
		.heed_others = config->other_tracking == 0,
		.guard = config->guard,
		.rollback = config->rollback,
		.lock_mode = (enum target_lock_mode)config->lock,
		.connect_timeout_ms = config->connect_timeout_ms,
		.connection_max_age_ms = config->connection_max_age_ms,
		.connect_wait_ms = config->connect_wait_ms,
		.lock_wait_ms = config->lock_wait_ms,
		.ddl_lock_timeout_ms = config->ddl_lock_timeout_ms,
		.statement_timeout_ms = config->statement_timeout_ms,
		.yield_after = config->yield_after,
		.batch_max_lag_ms = config->batch_max_lag_ms,
		.batch_max_active = config->batch_max_active,
		.policy = {
			.out_of_order = (enum plan_out_of_order)config->out_of_order,
			.on_modified = (enum plan_on_modified)config->on_modified,
			.transaction = (enum plan_transaction)config->transaction,
			.rerun = config->seeds_when ? RERUN_ALWAYS : RERUN_CHANGED,
			.immutable = config->immutable_range,
		},
	};
}
