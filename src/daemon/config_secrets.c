/* SPDX-License-Identifier: PostgreSQL */
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/bounds.h"
#include "base/file.h"
#include "base/mem.h"
#include "base/words.h"
#include "daemon/config_sources.h"
#include "daemon/token.h"
#include "daemon/webhook_sign.h"
#include "db/pgconn_info.h"

/*
 * What must be true of secrets and of what leads to them: connection strings, files,
 * commands. What is wrong now is told at the start, although each connection reads it anew.
 */

static const char **
string_of(struct config *config, const struct option_row *row)
{
	return (const char **)((char *)config + row->offset);
}

static const char *
origin_of(const struct config *config, const struct option_row *row)
{
	return config->origins[row - option_table];
}

/* The order of config.h; of two variables ours counts more. */
static int
rank_of(const char *origin)
{
	static const char *const ranks[] = { "credential ", "file:", "env ",
		"env MIGRATIOND_", "flag" };
	int rank = 0;

	for (int i = 0; i < (int)ARRAY_SIZE(ranks); i++)
		rank = strncmp(origin, ranks[i], strlen(ranks[i])) == 0 ? i : rank;
	return rank;
}

/* As who wrote it down knows it: "MIGRATIOND_DATABASE_URL", "--database-url", "database_url". */
static const char *
place_of(
    const struct config *config, const struct option_row *row, char *buf, size_t size)
{
	const char *origin = origin_of(config, row);

	if (strcmp(origin, "flag") == 0)
		return option_flag(row, buf, size);
	return strncmp(origin, "env ", 4) == 0 ? origin + 4 : row->name;
}

/* Two ways to say the same: the one from the stronger place counts. */
static int
choose(struct config *config, const char *name, const char *other, struct err *err)
{
	const struct option_row *rows[] = { option_find(name), option_find(other) };
	const char **fields[] = { string_of(config, rows[0]),
		string_of(config, rows[1]) };
	char places[2][OPTION_NAME];
	int more = 0;

	if (!*fields[0] || !*fields[1])
		return 0;
	more = rank_of(origin_of(config, rows[0])) - rank_of(origin_of(config, rows[1]));
	if (more != 0) {
		*fields[more > 0 ? 1 : 0] = NULL;
		return 0;
	}
	err_set(err, CAT_CONFIGURATION, "%s and %s are both set: unset one",
	    place_of(config, rows[0], places[0], sizeof(places[0])),
	    place_of(config, rows[1], places[1], sizeof(places[1])));
	return -1;
}

/* What ephemeral makes useless: refused where it was asked for, else a word in the log. */
static int
drop_url(struct config *config, const char *name, struct err *err)
{
	const struct option_row *row = option_find(name);
	char flag[OPTION_NAME];

	if (!*string_of(config, row))
		return 0;
	if (strcmp(origin_of(config, row), "flag") == 0) {
		err_set(err, CAT_CONFIGURATION, "%s and ephemeral exclude each other",
		    option_flag(row, flag, sizeof(flag)));
		err_hint(err, "leave one out: ephemeral starts a database of its own");
		return -1;
	}
	config_warn(config, "%s (%s) is not used: ephemeral starts a database of its own",
	    name, origin_of(config, row));
	*string_of(config, row) = NULL;
	return 0;
}

static int
check_url(struct config *config, const char *name, struct err *err)
{
	struct pgconn_params params = { .conninfo =
					    *string_of(config, option_find(name)) };
	struct pgconn_info *info = NULL;

	if (params.conninfo && pgconn_info_read(config, &params, &info, err) < 0)
		return config_wrap(config, name, err);
	return config->ephemeral ? drop_url(config, name, err) : 0;
}

/* The place of a value that is in a file: "env DATABASE_URL_FILE=/path". */
static int
wrap_file(struct config *config, const struct option_row *row, struct err *err)
{
	err->category =
	    CAT_CONFIGURATION; /* also where the file is missing: it is no migration */
	if (strncmp(origin_of(config, row), "env ", 4) == 0)
		return err_wrap(
		    err, "%s=%s", origin_of(config, row), *string_of(config, row));
	return config_wrap(config, row->name, err);
}

static int
check_url_file(struct config *config, const char *name, struct err *err)
{
	const struct option_row *row = option_find(name);
	const char *path = *string_of(config, row);
	struct pgconn_params params = { 0 };
	struct pgconn_info *info = NULL;
	void *scratch = mem_context(NULL, "url");
	char *url = NULL;
	bool loose = false;
	int rc = 0;

	if (path && file_read_secret(scratch, path, &url, &loose, err) < 0)
		rc = wrap_file(config, row, err);
	params.conninfo = url;
	if (url && pgconn_info_read(scratch, &params, &info, err) < 0) {
		err_where(err, path, 0);
		rc = wrap_file(config, row, err);
	}
	talloc_free(scratch);
	if (rc == 0 && loose)
		config_warn(config,
		    "%s: everybody may read or change this secret: chmod 640 %s",
		    origin_of(config, row), path);
	return rc == 0 && config->ephemeral ? drop_url(config, name, err) : rc;
}

/* Whether the program is there; a relative name is looked for in PATH. */
static bool
is_program(const char *name)
{
	const char *path = getenv("PATH");
	char file[4096];

	if (strchr(name, '/'))
		return access(name, X_OK) == 0;
	for (const char *at = path ? path : "/usr/bin:/bin"; *at;) {
		size_t len = strcspn(at, ":");

		snprintf(file, sizeof(file), "%.*s/%s", (int)len, at, name);
		if (access(file, X_OK) == 0)
			return true;
		at += len;
		at += *at == ':';
	}
	return false;
}

static int
check_command(struct config *config, const struct option_row *row, struct err *err)
{
	const char *line = *string_of(config, row);
	void *scratch = mem_context(NULL, "command");
	char **words = NULL;
	int rc = 0;

	if (line && words_split(scratch, line, &words, err) < 0) {
		rc = config_wrap(config, row->name, err);
	} else if (line && !is_program(words[0])) {
		err_set(err, CAT_CONFIGURATION, "there is no program %s", words[0]);
		err_hint(
		    err, "write its whole path; a shell's commands need sh -c '...'");
		rc = config_wrap(config, row->name, err);
	}
	talloc_free(scratch);
	return rc;
}

static int
check_commands(struct config *config, struct err *err)
{
	if (config->hook_required && !config->hook_before) {
		err_set(err, CAT_CONFIGURATION,
		    "hook_required is on, and there is no hook_before");
		err_hint(err, "set hook_before, or hook_required = off");
		return -1;
	}
	for (size_t i = 0; i < option_count; i++) {
		if ((option_table[i].flags & OPTION_COMMAND) &&
		    check_command(config, &option_table[i], err) < 0)
			return -1;
	}
	return 0;
}

/* A one-line file that nobody else may read. */
static int
check_secret_file(struct config *config, const char *name, struct err *err)
{
	const struct option_row *row = option_find(name);
	const char *path = *string_of(config, row);
	char *secret = NULL;
	bool loose = false;

	if (!path)
		return 0;
	if (file_read_secret(config, path, &secret, &loose, err) < 0) {
		err->category = CAT_CONFIGURATION;
		return err_wrap(err, "%s", name);
	}
	talloc_free(secret); /* read anew wherever it is needed */
	if (!loose)
		return 0;
	err_set(
	    err, CAT_CONFIGURATION, "%s: everybody may read or change %s", name, path);
	err_hint(
	    err, "chmod 640 %s (in Kubernetes: defaultMode: 0440 of the volume)", path);
	return -1;
}

static int
check_webhooks(struct config *config, struct err *err)
{
	void *scratch = mem_context(NULL, "webhooks");
	char *secrets = NULL;
	char *signature = NULL;
	size_t n = 0;
	int rc = check_secret_file(config, "webhook_secret_file", err);

	for (; rc == 0 && config->webhook_url && config->webhook_url[n]; n++)
		if (webhook_check_url(config->webhook_url[n], err) < 0)
			rc = config_wrap(config, "webhook_url", err);
	if (rc == 0 && n > BOUND_WEBHOOK_URLS)
		rc = err_set(err, CAT_CONFIGURATION, "webhook_url: more than %u URLs",
		    BOUND_WEBHOOK_URLS);
	if (rc == 0 && config->webhook_secret_file &&
	    (file_read_secret(scratch, config->webhook_secret_file, &secrets, NULL, err) <
		    0 ||
		webhook_sign(scratch, secrets, "", 0, "", &signature, err) < 0))
		rc = config_wrap(config, "webhook_secret_file", err);
	if (rc == 0 && n > 0 && !config->webhook_secret_file)
		config_warn(config,
		    "webhook_secret_file is not set: receivers cannot know that it was "
		    "us who sent");
	talloc_free(scratch);
	return rc;
}

int
config_check_secrets(struct config *config, struct err *err)
{
	if (choose(config, "database_url", "database_url_file", err) < 0 ||
	    choose(config, "database_direct_url", "database_direct_url_file", err) < 0 ||
	    choose(config, "password_file", "password_command", err) < 0)
		return -1;
	if (check_url(config, "database_url", err) < 0 ||
	    check_url(config, "database_direct_url", err) < 0 ||
	    check_url_file(config, "database_url_file", err) < 0 ||
	    check_url_file(config, "database_direct_url_file", err) < 0)
		return -1;
	if (check_commands(config, err) < 0 ||
	    check_secret_file(config, "password_file", err) < 0 ||
	    check_secret_file(config, "token_file", err) < 0 ||
	    check_webhooks(config, err) < 0)
		return -1;
	return config->token_file &&
		token_read(config, config->token_file, &config->token, err) < 0
	    ? err_wrap(err, "token_file")
	    : 0;
}
