/* SPDX-License-Identifier: PostgreSQL */
#pragma once

/*
 * The secrets that we know at this moment, so that what a hook prints can be shown without them.
 */

#include <stddef.h>

#include "daemon/config.h"

/* Passwords of the connection strings and files, tokens; read now. Owned by `ctx`. */
const char *const *secrets_of(const void *ctx, const struct config *config, size_t *n);
