/* SPDX-License-Identifier: PostgreSQL */
#include "base/digest.h"

#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <openssl/sha.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/mem.h"

static void
sha256(const void *data, size_t len, unsigned char sum[SHA256_DIGEST_LENGTH])
{
	/* libcrypto wants a pointer even where there is nothing to hash */
	if (!SHA256(len ? data : "", len, sum))
		abort(); /* uncovered: libcrypto without SHA-256 cannot serve us */
}

void
digest_hmac_sha256(const void *key, size_t key_len, const void *data, size_t len,
    unsigned char mac[DIGEST_MAC])
{
	if (!HMAC(EVP_sha256(), key, (int)key_len, data, len, mac, NULL))
		abort(); /* uncovered: libcrypto without SHA-256 cannot serve us */
}

static void
random_bytes(void *buf, size_t len)
{
	if (getentropy(buf, len) < 0)
		abort(); /* uncovered: Linux has had getrandom since 3.17 */
}

/* `n` bytes of `data`, most significant first, as a number. */
static uint64_t
big_endian(const unsigned char *data, size_t n)
{
	uint64_t value = 0;

	for (size_t i = 0; i < n; i++)
		value = value << 8 | data[i];
	return value;
}

static void
write_hex(const unsigned char *sum, size_t n, char *hex)
{
	static const char digits[] = "0123456789abcdef";

	for (size_t i = 0; i < n; i++) {
		hex[2 * i] = digits[sum[i] >> 4];
		hex[2 * i + 1] = digits[sum[i] & 15];
	}
	hex[2 * n] = '\0';
}

void
digest_sha256_hex(const void *data, size_t len, char hex[DIGEST_HEX])
{
	unsigned char sum[SHA256_DIGEST_LENGTH];

	sha256(data, len, sum);
	write_hex(sum, sizeof(sum), hex);
}

/* ---- in pieces ---- */

struct digest {
	EVP_MD_CTX *md;
};

static int
digest_free(struct digest *digest)
{
	EVP_MD_CTX_free(digest->md);
	return 0;
}

static void
must(bool is_done)
{
	if (!is_done)
		abort(); /* uncovered: libcrypto without SHA-256 cannot serve us */
}

struct digest *
digest_new(const void *ctx)
{
	struct digest *digest = mem_zero(ctx, struct digest);

	digest->md = EVP_MD_CTX_new();
	must(digest->md != NULL && EVP_DigestInit_ex(digest->md, EVP_sha256(), NULL));
	talloc_set_destructor(digest, digest_free);
	return digest;
}

void
digest_add(struct digest *digest, const void *data, size_t len)
{
	must(EVP_DigestUpdate(digest->md, data, len));
}

void
digest_hex(const struct digest *digest, const char *end, char hex[DIGEST_HEX])
{
	unsigned char sum[SHA256_DIGEST_LENGTH];
	EVP_MD_CTX *md = EVP_MD_CTX_new();

	must(md != NULL && EVP_MD_CTX_copy_ex(md, digest->md));
	must(EVP_DigestUpdate(md, end, strlen(end)));
	must(EVP_DigestFinal_ex(md, sum, NULL));
	write_hex(sum, sizeof(sum), hex);
	EVP_MD_CTX_free(md);
}

/* ---- others ---- */

void
digest_sha384_hex(const void *data, size_t len, char hex[DIGEST_SHA384_HEX])
{
	unsigned char sum[SHA384_DIGEST_LENGTH];

	if (!SHA384(len ? data : "", len, sum))
		abort(); /* uncovered: as above */
	write_hex(sum, sizeof(sum), hex);
}

int64_t
digest_key64(const void *data, size_t len)
{
	unsigned char sum[SHA256_DIGEST_LENGTH];

	sha256(data, len, sum);
	return (int64_t)big_endian(sum, 8);
}

void
digest_uuid7(int64_t now_us, char uuid[UUID_TEXT])
{
	uint64_t ms = (uint64_t)(now_us / 1000);
	unsigned char noise[10];

	random_bytes(noise, sizeof(noise));
	snprintf(uuid, UUID_TEXT, "%08x-%04x-7%03x-%04x-%012llx",
	    (unsigned)(ms >> 16 & 0xFFFFFFFFu), (unsigned)(ms & 0xFFFFu),
	    (unsigned)(big_endian(noise, 2) & 0xFFFu),
	    (unsigned)(big_endian(noise + 2, 2) & 0x3FFFu) | 0x8000u,
	    (unsigned long long)big_endian(noise + 4, 6));
}

void
digest_uuid7_behind(const char before[UUID_TEXT], char uuid[UUID_TEXT])
{
	int64_t ms = 0;

	if (strcmp(uuid, before) > 0)
		return;
	ms = (int64_t)(strtoull(before, NULL, 16) << 16 | strtoull(before + 9, NULL, 16));
	digest_uuid7((ms + 1) * 1000, uuid);
}

bool
digest_secret_equal(const char *a, const char *b)
{
	unsigned char sum_a[SHA256_DIGEST_LENGTH];
	unsigned char sum_b[SHA256_DIGEST_LENGTH];

	sha256(a, strlen(a), sum_a);
	sha256(b, strlen(b), sum_b);
	return CRYPTO_memcmp(sum_a, sum_b, sizeof(sum_a)) == 0;
}

uint32_t
digest_random(uint32_t below)
{
	uint32_t noise = 0;

	random_bytes(&noise, sizeof(noise));
	return (uint32_t)((uint64_t)noise * below >> 32);
}
