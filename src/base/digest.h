/* SPDX-License-Identifier: PostgreSQL */
#pragma once

/*
 * Hashes and random names, by libcrypto.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define DIGEST_HEX 65 /* 64 hexadecimal digits and NUL */
#define DIGEST_MAC 32 /* bytes of an HMAC-SHA256 */
#define UUID_TEXT  37 /* 36 characters and NUL */

/* Lower-case hexadecimal SHA-256. */
void digest_sha256_hex(const void *data, size_t len, char hex[DIGEST_HEX]);

/* Likewise SHA-384. */
#define DIGEST_SHA384_HEX 97
void digest_sha384_hex(const void *data, size_t len, char hex[DIGEST_SHA384_HEX]);

/*
 * The same of what comes in pieces. digest_hex gives that of all that was added and, behind it,
 * of `end`, which does not become a part: so one beginning can have many ends.
 */
struct digest;
struct digest *digest_new(const void *ctx);
void digest_add(struct digest *digest, const void *data, size_t len);
void digest_hex(const struct digest *digest, const char *end, char hex[DIGEST_HEX]);

/* First eight bytes of the SHA-256, big endian: a key for pg_advisory_lock. */
int64_t digest_key64(const void *data, size_t len);

/* A UUIDv7 (RFC 9562 section 5.7) of `now_us`: sorts by time, 74 random bits. */
void digest_uuid7(int64_t now_us, char uuid[UUID_TEXT]);

/* Unless it sorts behind `before` already: make it one of the next millisecond. */
void digest_uuid7_behind(const char before[UUID_TEXT], char uuid[UUID_TEXT]);

/* HMAC-SHA256, RFC 2104. */
void digest_hmac_sha256(const void *key, size_t key_len, const void *data, size_t len,
    unsigned char mac[DIGEST_MAC]);

/* Whether two secrets are equal, in a time that does not depend on where they differ: both are
 * hashed and the hashes compared by CRYPTO_memcmp. */
bool digest_secret_equal(const char *a, const char *b);

/* A random number in [0, below), for jitter. `below` > 0. */
uint32_t digest_random(uint32_t below);
