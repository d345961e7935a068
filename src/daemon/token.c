/* SPDX-License-Identifier: PostgreSQL */
#include "daemon/token.h"

#include <string.h>

#include "base/file.h"
#include "base/log.h"
#include "base/mem.h"

bool
token_can_be_sent(const char *token)
{
	/* RFC 6750 section 2.1 allows fewer still; these could not even be sent */
	for (const char *c = token; *c; c++) {
		if (*c <= ' ' || *c > '~')
			return false;
	}
	return true;
}

int
token_read(const void *ctx, const char *path, const char **value, struct err *err)
{
	char *secret = NULL;

	if (file_read_secret(ctx, path, &secret, NULL, err) < 0)
		return -1;
	if (!token_can_be_sent(secret)) {
		talloc_free(secret);
		return err_set(err, CAT_CONFIGURATION,
		    "the token in %s has a character that no header carries", path);
	}
	*value = secret;
	return 0;
}

void
token_use(struct token *token, const void *ctx, const char *path, const char *value)
{
	talloc_free(token->value);
	*token = (struct token){
		.ctx = ctx,
		.path = path,
		.value = mem_strdup(ctx, value),
	};
}

const char *
token_now(struct token *token)
{
	const char *value = NULL;
	struct err err = { 0 };

	if (!token->path)
		return NULL;
	if (token_read(token->ctx, token->path, &value, &err) < 0) {
		if (!token->failing)
			log_warning_with(&err,
			    "token_file cannot be read, the token of before counts");
		token->failing = true;
		return token->value;
	}
	if (token->failing || strcmp(value, token->value) != 0)
		log_info("the token of token_file was read anew");
	token->failing = false;
	talloc_free(token->value);
	token->value = mem_strdup(token->ctx, value);
	talloc_free((void *)(uintptr_t)value);
	return token->value;
}
