/* SPDX-License-Identifier: PostgreSQL */
#pragma once

/*
 * Writing a file so that it is there as a whole or not at all, after a crash too: beside
 * it under a name that begins with '.', flushed to disk, then given its name.
 *
 *	if (file_write_new("/srv/migrations/0003_users.sql", sql, strlen(sql), err) < 0)
 *		...
 */

#include <stddef.h>

#include "base/err.h"
#include "base/macros.h"

/* CONFIGURATION when the file is there already: it is left as it is. Mode 0644, less umask. */
int file_write_new(
    const char *path, const void *data, size_t len, struct err *err) MUST_CHECK;

/* In place of the one that is there, or new. Keeps the mode of the old one. */
int file_write_over(
    const char *path, const void *data, size_t len, struct err *err) MUST_CHECK;
