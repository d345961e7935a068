/* SPDX-License-Identifier: PostgreSQL */
#pragma once

/*
 * The secrets that we know at this moment, so that what a hook prints can be shown without them.
 */

#include <stddef.h>

#include "daemon/config.h"
#include "db/password.h"

/* Passwords of the connection strings, files and command, tokens; read now. Owned by `ctx`. */
const char *const *secrets_of(const void *ctx, const struct config *config,
    const struct password_memory *passwords, size_t *n);
