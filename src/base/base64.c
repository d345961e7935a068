/* SPDX-License-Identifier: PostgreSQL */
#include "base/base64.h"

#include <string.h>

#include <openssl/evp.h>

#include "base/mem.h"

static const char alphabet[] =
    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

char *
base64_encode(const void *ctx, const void *data, size_t len)
{
	char *text = mem_array(ctx, char, (len + 2) / 3 * 4 + 1);

	(void)EVP_EncodeBlock((unsigned char *)text, data, (int)len);
	return text;
}

unsigned char *
base64_decode(const void *ctx, const char *text, size_t *len)
{
	size_t n = strspn(text, alphabet);
	size_t padding = strspn(text + n, "=");
	size_t whole = (n + 3) / 4 * 4;
	unsigned char *data = NULL;
	char *padded = NULL;

	/* of the last four characters two or three say something, or all */
	if (text[n + padding] || n % 4 == 1 || (padding > 0 && n + padding != whole))
		return NULL;
	padded = mem_array(ctx, char, whole + 1);
	memset(padded, '=', whole);
	memcpy(padded, text, n);
	data = mem_array(ctx, unsigned char, whole / 4 * 3 + 1);
	(void)EVP_DecodeBlock(data, (const unsigned char *)padded, (int)whole);
	talloc_free(padded);
	*len = n * 3 / 4;
	return data;
}
