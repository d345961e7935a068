/* SPDX-License-Identifier: PostgreSQL */
#pragma once

/*
 * The bearer token of token_file: read again for each request that needs it, so that it can be
 * rotated without a reload. While the file cannot be read (it is being replaced, its volume is
 * away) the last token counts.
 *
 *	struct token token = { 0 };
 *
 *	token_use(&token, ctx, "/etc/migrationd/token", first);
 *	auth_check(request, token_now(&token), now);
 */

#include <stdbool.h>

#include "base/err.h"

struct token {
	const void *ctx;
	const char *path; /* NULL: none is configured */
	char *value;      /* as last read */
	bool failing;     /* the last read failed, and was logged */
};

/* Whether a header could carry it. */
bool token_can_be_sent(const char *token);

/* The token in the file, owned by `ctx`. CONFIGURATION where no header could carry it. */
int token_read(
    const void *ctx, const char *path, const char **value, struct err *err) MUST_CHECK;

/* Use another file (NULL: none), of which `value` is what it holds. Copied, owned by `ctx`. */
void token_use(struct token *token, const void *ctx, const char *path, const char *value);

/* What the file holds now; NULL: no token is configured. Valid until the next call. */
const char *token_now(struct token *token);
