/* SPDX-License-Identifier: PostgreSQL */
#include "db/connect.h"

#include <string.h>

#include "base/digest.h"
#include "base/file.h"
#include "base/mem.h"

int
connect_start(struct pgconn *conn, const struct target_params *params,
    pgconn_reply_fn *fn, void *arg, struct err *err)
{
	void *ctx = mem_context(NULL, "connect");
	char *password = NULL;
	int ret = -1;

	if (params->password_file != NULL &&
	    file_read_secret(ctx, params->password_file, &password, NULL, err) < 0) {
		err_wrap(err, "password file");
		goto out;
	}
	struct pgconn_params where = {
		.conninfo = params->direct_url != NULL ? params->direct_url
						       : params->database_url,
		.password = password,
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

struct tracking_table
connect_tracking_table(const struct target_params *params, const struct engine *engine)
{
	const struct tracking *kind = tracking_find(params->tracking);
	struct tracking_table table = { .kind = kind };

	table.schema = params->tracking_schema;
	if (table.schema == NULL)
		table.schema = kind->default_schema;
	if (table.schema == NULL)
		table.schema =
		    engine->current_schema[0] != '\0' ? engine->current_schema : "public";
	table.table =
	    params->tracking_table != NULL ? params->tracking_table : kind->default_table;
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

uint64_t
connect_pause_ms(unsigned attempt)
{
	uint32_t whole = attempt < 6 ? 100u << attempt : 5000u;

	return whole / 2 + digest_random(whole / 2 + 1);
}
