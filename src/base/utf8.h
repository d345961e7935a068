/* SPDX-License-Identifier: PostgreSQL */
#pragma once

/*
 * UTF-8 as the WHATWG decoder sees it, which is how Node.js reads a migration file and so
 * what drizzle-orm hashes. Each maximal invalid subpart becomes one U+FFFD
 * (https://encoding.spec.whatwg.org/#utf-8-decoder, Unicode 15 section 3.9 table 3-8).
 */

#include <stdbool.h>
#include <stddef.h>

/* Length of the sequence at `s` (1-4) when valid; 0 when not, and `*skip` is the length of
 * the maximal invalid subpart (at least 1). `len` is at least 1. */
size_t utf8_sequence(const unsigned char *s, size_t len, size_t *skip);

/* True when all of it is valid. Else false and, where not NULL, `*offset` is the first bad byte. */
bool utf8_is_valid(const char *data, size_t len, size_t *offset);

/*
 * The text with each invalid subpart replaced by U+FFFD, owned by `ctx`, NUL-terminated, its length
 * in `*out_len`; up to three times as long as `len`. A byte order mark is kept, as Node.js'
 * fs.readFileSync().toString() does.
 */
char *utf8_replace(const void *ctx, const char *data, size_t len, size_t *out_len);
