/* SPDX-License-Identifier: PostgreSQL */
#include "daemon/secrets.h"

#include <stdlib.h>

#include "base/file.h"
#include "base/mem.h"
#include "db/pgconn_info.h"

#define MAX_SECRETS 20

struct list {
	const char **secrets;
	size_t n;
};

static void
add(struct list *list, const char *secret)
{
	if (secret && list->n < MAX_SECRETS)
		list->secrets[list->n++] = secret;
}

/* The password in a connection string. */
static void
add_url(struct list *list, const char *url)
{
	struct pgconn_params params = { .conninfo = url };
	struct pgconn_info *info = NULL;
	struct err err = { 0 };

	if (url && pgconn_info_read(list->secrets, &params, &info, &err) == 0)
		add(list, pgconn_info_get(info, "password"));
}

static const char *
read_file(const struct list *list, const char *path)
{
	struct err err = { 0 };
	char *secret = NULL;

	return path && file_read_secret(list->secrets, path, &secret, NULL, &err) == 0
	    ? secret
	    : NULL;
}

const char *const *
secrets_of(const void *ctx, const struct config *config, size_t *n)
{
	struct list list = { .secrets = mem_array(ctx, const char *, MAX_SECRETS) };

	add_url(&list, config->database_url);
	add_url(&list, config->database_direct_url);
	add_url(&list, read_file(&list, config->database_url_file));
	add_url(&list, read_file(&list, config->database_direct_url_file));
	add(&list, read_file(&list, config->password_file));
	add(&list, read_file(&list, config->token_file));
	add(&list, read_file(&list, config->webhook_secret_file));
	for (size_t i = 0; config->webhook_url && config->webhook_url[i]; i++)
		add(&list, config->webhook_url[i]);
	add(&list, config->token);
	add(&list, getenv("PGPASSWORD"));
	*n = list.n;
	return list.secrets;
}
