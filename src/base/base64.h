/* SPDX-License-Identifier: PostgreSQL */
#pragma once

/*
 * Base64, RFC 4648 section 4, by libcrypto.
 */

#include <stddef.h>

/* With padding; owned by `ctx`. */
char *base64_encode(const void *ctx, const void *data, size_t len);

/*
 * The bytes, owned by `ctx`, `*len` of them; padding at the end may be missing. NULL when `text`
 * is no Base64.
 */
unsigned char *base64_decode(const void *ctx, const char *text, size_t *len);
