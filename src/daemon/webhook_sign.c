/* SPDX-License-Identifier: PostgreSQL */
#include "daemon/webhook_sign.h"

#include <inttypes.h>
#include <string.h>

#include "base/base64.h"
#include "base/digest.h"
#include "base/mem.h"
#include "base/text.h"

#define PREFIX "whsec_"

/* Bytes of a secret (Standard Webhooks 1.0, "Signature scheme"). */
#define SECRET_MIN 24
#define SECRET_MAX 64

static int
add_signature(const void *ctx, const char *secret, const char *content,
    struct text *signature, struct err *err)
{
	unsigned char mac[DIGEST_MAC];
	unsigned char *key = NULL;
	size_t len = 0;

	if (strncmp(secret, PREFIX, strlen(PREFIX)) == 0)
		key = base64_decode(ctx, secret + strlen(PREFIX), &len);
	if (!key || len < SECRET_MIN || len > SECRET_MAX) {
		err_set(err, CAT_CONFIGURATION,
		    "a secret is \"" PREFIX "\" and Base64 of %d to %d bytes", SECRET_MIN,
		    SECRET_MAX);
		err_hint(
		    err, "make one: echo " PREFIX "$(head -c 32 /dev/urandom | base64)");
		return -1;
	}
	digest_hmac_sha256(key, len, content, strlen(content), mac);
	text_addf(signature, "%sv1,%s", signature->len > 0 ? " " : "",
	    base64_encode(ctx, mac, sizeof(mac)));
	return 0;
}

int
webhook_sign(const void *ctx, const char *secrets, const char *id, int64_t timestamp,
    const char *body, char **signature, struct err *err)
{
	void *scratch = mem_context(ctx, "webhook_sign");
	char *content = mem_printf(scratch, "%s.%" PRId64 ".%s", id, timestamp, body);
	char *rest = mem_strdup(scratch, secrets);
	struct text value;
	int rc = 0;

	text_init(&value, ctx, 4096);
	for (char *secret = strsep(&rest, " "); secret && rc == 0;
	     secret = strsep(&rest, " "))
		rc = add_signature(scratch, secret, content, &value, err);
	talloc_free(scratch);
	if (rc < 0)
		talloc_free(value.data);
	else
		*signature = value.data;
	return rc;
}

/* Where the host begins; NULL when it is no URL of ours. */
static const char *
host_of(const char *url)
{
	const char *host = NULL;

	if (strncmp(url, "https://", 8) == 0)
		host = url + 8;
	else if (strncmp(url, "http://", 7) == 0)
		host = url + 7;
	/* clients differ in what they make of these */
	if (!host || strpbrk(url, "\\ \t"))
		return NULL;
	/* behind a user and a password */
	for (const char *at = host; *at && !strchr("/?#", *at); at++)
		if (*at == '@')
			host = at + 1;
	return strchr("/?#:", *host) ? NULL : host;
}

static size_t
host_len(const char *host)
{
	size_t len = *host == '[' ? strcspn(host, "]/?#") : strcspn(host, ":/?#");

	return host[len] == ']' ? len + 1 : len;
}

static bool
is_this_machine(const char *host)
{
	static const char *const names[] = { "localhost", "127.0.0.1", "[::1]" };

	for (size_t i = 0; i < ARRAY_SIZE(names); i++)
		if (host_len(host) == strlen(names[i]) &&
		    strncmp(host, names[i], strlen(names[i])) == 0)
			return true;
	return false;
}

int
webhook_check_url(const char *url, struct err *err)
{
	const char *host = host_of(url);

	if (host && (strncmp(url, "https:", 6) == 0 || is_this_machine(host)))
		return 0;
	err_set(err, CAT_CONFIGURATION, "%s",
	    host ? "http:// leads to another machine, and everybody between could read it"
		 : "that is no URL");
	err_hint(err, "write https://HOST/PATH; http:// is for 127.0.0.1 and localhost");
	return -1;
}

char *
webhook_place(const void *ctx, const char *url)
{
	const char *host = host_of(url);

	if (!host)
		return mem_strdup(ctx, "****");
	return mem_printf(ctx, "%.*s%.*s", (int)(strstr(url, "//") + 2 - url), url,
	    (int)strcspn(host, "/?#"), host);
}
