/* SPDX-License-Identifier: PostgreSQL */
#include "daemon/secrets.h"

#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "base/mem.h"
#include "daemon/conninfo.h"
#include "db/pgconn_info.h"

struct list {
	const void *ctx;
	const char **secrets;
	size_t n;
};

static void
add(struct list *list, const char *secret)
{
	if (!secret)
		return;
	list->secrets = mem_grow(list->ctx, list->secrets, const char *, list->n + 1);
	list->secrets[list->n++] = secret;
}

/* The passwords in a connection string, as they are and as they are written there. */
static void
add_url(struct list *list, const char *url)
{
	struct pgconn_params params = { .conninfo = url };
	struct pgconn_info *info = NULL;
	struct err err = { 0 };
	const char **covered = NULL;
	size_t n = 0;

	if (!url)
		return;
	covered = conninfo_covered(list->ctx, url, &n);
	for (size_t i = 0; i < n; i++)
		add(list, covered[i]);
	if (pgconn_info_read(list->ctx, &params, &info, &err) == 0) {
		add(list, pgconn_info_get(info, "password"));
		add(list, pgconn_info_get(info, "sslpassword"));
	}
}

/* While one is being replaced there are two, with a blank between. */
static void
add_words(struct list *list, const char *words)
{
	char *rest = mem_strdup(list->ctx, words);

	for (const char *word = strsep(&rest, " "); word; word = strsep(&rest, " "))
		add(list, word);
}

static const char *
read_file(const struct list *list, const char *path)
{
	struct err err = { 0 };
	char *secret = NULL;

	return path && file_read_secret(list->ctx, path, &secret, NULL, &err) == 0
	    ? secret
	    : NULL;
}

const char *const *
secrets_of(const void *ctx, const struct config *config,
    const struct password_memory *passwords, size_t *n)
{
	struct list list = { .ctx = ctx };

	add_url(&list, config->database_url);
	add_url(&list, config->database_direct_url);
	add_url(&list, read_file(&list, config->database_url_file));
	add_url(&list, read_file(&list, config->database_direct_url_file));
	add(&list, read_file(&list, config->password_file));
	add(&list, passwords->last);
	add(&list, read_file(&list, config->token_file));
	add_words(&list, read_file(&list, config->webhook_secret_file));
	for (size_t i = 0; config->webhook_url && config->webhook_url[i]; i++)
		add(&list, config->webhook_url[i]);
	add(&list, config->token);
	add(&list, getenv("PGPASSWORD"));
	*n = list.n;
	return list.secrets;
}
