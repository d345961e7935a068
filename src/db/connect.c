/* SPDX-License-Identifier: PostgreSQL */
#include "db/connect.h"

#include <string.h>

#include "base/digest.h"
#include "base/file.h"
#include "base/mem.h"

/* One line of a file, as it is now. */
static int
read_line(
    const void *ctx, const char *path, const char *what, char **line, struct err *err)
{
	if (path == NULL || file_read_secret(ctx, path, line, NULL, err) == 0)
		return 0;
	err->category = CAT_CONFIGURATION; /* it is no migration that is missing */
	return err_wrap(err, "%s", what);
}

/* Runs and looks go past the pooler where a way past it is named. */
static int
read_conninfo(const void *ctx, const struct target_params *params, const char **conninfo,
    struct err *err)
{
	bool direct = params->direct_url != NULL || params->direct_url_file != NULL;
	const char *path = direct ? params->direct_url_file : params->database_url_file;
	char *line = NULL;

	if (read_line(ctx, path,
		direct ? "database_direct_url_file" : "database_url_file", &line,
		err) < 0)
		return -1;
	*conninfo = line != NULL ? line
	    : direct             ? params->direct_url
				 : params->database_url;
	return 0;
}

int
connect_start(struct pgconn *conn, const struct target_params *params,
    pgconn_reply_fn *fn, void *arg, struct err *err)
{
	void *ctx = mem_context(NULL, "connect");
	const char *conninfo = NULL;
	char *password = NULL;
	int ret = -1;

	if (read_conninfo(ctx, params, &conninfo, err) < 0 ||
	    read_line(ctx, params->password_file, "password_file", &password, err) < 0)
		goto out;
	struct pgconn_params where = {
		.conninfo = conninfo,
		.database = params->database,
		.password = password,
		.password_command = params->password_command,
		.password_memory = params->password_memory,
		.application_name = params->instance != NULL
		    ? mem_printf(ctx, "migrationd %s", params->instance)
		    : "migrationd",
		.connect_timeout_ms = params->connect_timeout_ms,
	};
	pgconn_open(conn, &where, fn, arg);
	ret = 0;
out:
	talloc_free(ctx);
	return ret;
}

static const char *
schema_of(const struct tracking *kind, const struct engine *engine)
{
	if (kind->default_schema != NULL)
		return kind->default_schema;
	return engine->current_schema[0] != '\0' ? engine->current_schema : "public";
}

struct tracking_table
connect_tracking_table(
    const struct target_params *params, enum phase phase, const struct engine *engine)
{
	const struct tracking *kind = tracking_find(params->tracking);
	struct tracking_table table = { .kind = kind };

	table.no_serial = !engine_can(engine, ENGINE_SERIAL);
	table.of_schema = params->tracking_schema != NULL ? params->tracking_schema
							  : schema_of(kind, engine);
	table.of_table =
	    params->tracking_table != NULL ? params->tracking_table : kind->default_table;
	table.schema_is_said = params->tracking_schema != NULL;
	table.schema = table.of_schema;
	table.table = table.of_table;
	if (phase == PHASE_SCHEMA)
		return table;
	table.kind = tracking_find(phase_tracking(phase));
	table.schema = schema_of(table.kind, engine);
	table.table = table.kind->default_table;
	if (table.table == NULL)
		table.table = phase_name(phase);
	return table;
}

bool
connect_may_retry(const struct err *err)
{
	const char *state = err->sqlstate;

	return err->category == CAT_NETWORK_ERROR &&
	    (state[0] == '\0' || strncmp(state, "08", 2) == 0 ||
		strcmp(state, "57P03") == 0 || strcmp(state, "53300") == 0 ||
		strcmp(state, "57P01") == 0);
}

/* The service has no SQLSTATE for it, and speaks English (recorded 2026-09). */
bool
connect_is_stale(const struct err *err)
{
	return strstr(err->hint, "Signature expired") != NULL ||
	    strstr(err->text, "waking up cluster") != NULL;
}

uint64_t
connect_pause_ms(unsigned attempt)
{
	uint32_t whole = attempt < 6 ? 100u << attempt : 5000u;

	return whole / 2 + digest_random(whole / 2 + 1);
}
