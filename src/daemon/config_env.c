/* SPDX-License-Identifier: PostgreSQL */
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/bounds.h"
#include "base/failpoint.h"
#include "base/file.h"
#include "base/mem.h"
#include "daemon/config_sources.h"

/*
 * The environment. NAME_FILE beside NAME says in which file the value is, as container
 * images have it: environments are shown in many places, files are not.
 */

#define PREFIX "MIGRATIOND_"

/* Empty is as good as unset: Compose and Helm leave such variables behind. */
static const char *
find(char *const *environ, const char *name)
{
	size_t len = strlen(name);

	for (; environ && *environ; environ++) {
		if (strncmp(*environ, name, len) == 0 && (*environ)[len] == '=')
			return (*environ)[len + 1] ? *environ + len + 1 : NULL;
	}
	return NULL;
}

/* The value of a row from the one line of a file. */
static int
put_content(struct config *config, const struct option_row *row, const char *path,
    const char *origin, struct err *err)
{
	struct config_value value = { .row = row, .n = 1, .origin = origin };
	char *text = NULL;
	bool loose = false;
	int rc = file_read_secret(config, path, &text, &loose, err);

	if (rc == 0) {
		if (loose && (row->flags & OPTION_SECRET))
			config_warn(config,
			    "%s: everybody may read or change this secret: chmod 640 %s",
			    origin, path);
		value.texts = (const char *const *)&text;
		rc = config_put(config, &value, err);
		talloc_free(text);
	}
	if (rc == 0)
		return 0;
	err->category =
	    CAT_CONFIGURATION; /* also where the file is missing: it is no migration */
	return err_wrap(err, "%s=%s", origin, path);
}

/* Whether the file with the value is an option of its own, which is read again and again. */
static bool
has_file_option(const struct option_row *row)
{
	char name[OPTION_NAME + 5];

	snprintf(name, sizeof(name), "%s_file", row->name);
	return option_find(name) != NULL;
}

/* Take the row's value from `name` or NAME_FILE. `*found` tells whether one of them was there. */
static int
read_variable(struct config *config, const struct option_row *row, char *const *environ,
    const char *name, bool *found, struct err *err)
{
	const char *text = find(environ, name);
	char name_file[OPTION_NAME + 5];
	const char *path = NULL;
	char *origin = NULL;

	snprintf(name_file, sizeof(name_file), "%s_FILE", name);
	/* MIGRATIOND_TOKEN_FILE is an option, not the place of a MIGRATIOND_TOKEN */
	if (row->type == OPTION_STRING && !has_file_option(row))
		path = find(environ, name_file);
	*found = text || path;
	if (text && path)
		return err_set(err, CAT_CONFIGURATION,
		    "%s and %s are both set: unset one", name, name_file);
	if (path) {
		origin = mem_printf(config, "env %s", name_file);
		return put_content(config, row, path, origin, err);
	}
	if (text) {
		struct config_value value = { .row = row, .texts = &text, .n = 1 };

		origin = mem_printf(config, "env %s", name);
		value.origin = origin;
		if (config_put(config, &value, err) < 0)
			return err_wrap(err, "%s", name);
	}
	return 0;
}

/*
 * A Service named "migrationd" puts such variables into every pod of its namespace
 * (Kubernetes docs, "Discovering services").
 */
static bool
is_from_kubernetes(const char *key)
{
	return strncmp(key, "SERVICE_", 8) == 0 || strcmp(key, "PORT") == 0 ||
	    strncmp(key, "PORT_", 5) == 0;
}

/* Whether `key`, what stands behind MIGRATIOND_, is an option that the environment may set. */
static bool
is_known(const char *key)
{
	char name[OPTION_NAME];
	size_t len = strlen(key);

	for (size_t i = 0; i < option_count; i++) {
		size_t own = strlen(
		    option_env(&option_table[i], name, sizeof(name)) + strlen(PREFIX));
		const char *own_key = name + strlen(PREFIX);

		if ((option_table[i].flags & OPTION_FLAG_ONLY) ||
		    strncmp(key, own_key, own) != 0)
			continue;
		if (len == own)
			return true;
		if (option_table[i].type == OPTION_STRING &&
		    strcmp(key + own, "_FILE") == 0)
			return true;
	}
	return false;
}

static void
warn_of_unknown(struct config *config, const char *variable)
{
	size_t len = strcspn(variable, "=");
	char name[2 * OPTION_NAME];
	char flag[OPTION_NAME];
	const char *nearest = NULL;
	const struct option_row *row = NULL;

	if (len >= sizeof(name))
		return;
	memcpy(name, variable, len);
	name[len] = '\0';
	if (is_known(name + strlen(PREFIX)) ||
	    is_from_kubernetes(name + strlen(PREFIX)) || FAILPOINT_VARIABLE(name))
		return;
	nearest = option_nearest(name + strlen(PREFIX));
	row = nearest ? option_find(nearest) : NULL;
	if (row && (row->flags & OPTION_FLAG_ONLY))
		config_warn(config, "%s is not read: there is the flag %s", name,
		    option_flag(row, flag, sizeof(flag)));
	else if (row)
		config_warn(config, "%s is not read: did you mean %s?", name,
		    option_env(row, flag, sizeof(flag)));
	else
		config_warn(config, "%s is not read: no option has that name", name);
}

int
config_read_env(struct config *config, char *const *environ, struct err *err)
{
	char name[OPTION_NAME];

	for (size_t i = 0; i < option_count; i++) {
		const struct option_row *row = &option_table[i];
		bool found = false;

		if (row->flags & OPTION_FLAG_ONLY)
			continue;
		option_env(row, name, sizeof(name));
		if (read_variable(config, row, environ, name, &found, err) < 0)
			return -1;
		if (!found && row->env &&
		    read_variable(config, row, environ, row->env, &found, err) < 0)
			return -1;
	}
	for (char *const *each = environ; each && *each; each++) {
		if (strncmp(*each, PREFIX, strlen(PREFIX)) == 0)
			warn_of_unknown(config, *each);
	}
	return 0;
}

/* systemd.exec(5), LoadCredential=. */
int
config_read_credentials(struct config *config, char *const *environ, struct err *err)
{
	const char *directory = find(environ, "CREDENTIALS_DIRECTORY");
	int rc = 0;

	for (size_t i = 0; directory && i < option_count && rc == 0; i++) {
		const struct option_row *row = &option_table[i];
		char *origin = NULL;
		char *path = NULL;
		struct config_value value = { .row = row, .n = 1 };

		if (!row->credential)
			continue;
		path = mem_printf(config, "%s/%s", directory, row->credential);
		if (access(path, F_OK) != 0)
			continue;
		origin = mem_printf(config, "credential %s", row->credential);
		value.texts = (const char *const *)&path;
		value.origin = origin;
		rc = row->credential_is_path
		    ? config_put(config, &value, err)
		    : put_content(config, row, path, origin, err);
	}
	return rc;
}
