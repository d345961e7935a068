/* SPDX-License-Identifier: PostgreSQL */
#include "daemon/conninfo.h"

#include <stdbool.h>
#include <string.h>

#include "base/bounds.h"
#include "base/mem.h"
#include "base/text.h"

#define MASK "****"

/* Each mask may take the place of a shorter value. */
#define MASKED_BYTES (4 * BOUND_CONFIG_VALUE)

/*
 * Parameters whose values are shown. `options` is not among them: it can carry any
 * setting, and some hold keys.
 */
static const char *const harmless[] = {
	"application_name",
	"channel_binding",
	"client_encoding",
	"connect_timeout",
	"dbname",
	"fallback_application_name",
	"gssencmode",
	"gsslib",
	"host",
	"hostaddr",
	"keepalives",
	"keepalives_count",
	"keepalives_idle",
	"keepalives_interval",
	"krbsrvname",
	"load_balance_hosts",
	"passfile",
	"port",
	"replication",
	"require_auth",
	"requirepeer",
	"service",
	"ssl",
	"ssl_max_protocol_version",
	"ssl_min_protocol_version",
	"sslcert",
	"sslcertmode",
	"sslcompression",
	"sslcrl",
	"sslcrldir",
	"sslkey",
	"sslmode",
	"sslnegotiation",
	"sslrootcert",
	"sslsni",
	"target_session_attrs",
	"tcp_user_timeout",
	"user",
};

/*
 * Parameters whose names alone are shown. A name in neither list may be a piece of a
 * password with a bare '&', '=' or quote in it.
 */
static const char *const covered[] = {
	"oauth_client_id",
	"oauth_client_secret",
	"options",
	"password",
	"scram_client_key",
	"scram_server_key",
	"sslpassword",
};

/* A connection string as it may be shown, and what of it may not. */
struct mask {
	const void *ctx;
	struct text out;
	const char **covered; /* as written, quotes around it left out */
	size_t n;
};

static void
cover(struct mask *mask, const char *value, size_t len)
{
	text_add(&mask->out, MASK);
	if (len > 1 && value[0] == '\'') {
		value++;
		len -= 2;
	}
	mask->covered = mem_grow(mask->ctx, mask->covered, const char *, mask->n + 1);
	mask->covered[mask->n++] = mem_strndup(mask->ctx, value, len);
}

static bool
is_among(const char *const *names, size_t n, const char *key, size_t len)
{
	for (size_t i = 0; i < n; i++) {
		if (strlen(names[i]) == len && memcmp(names[i], key, len) == 0)
			return true;
	}
	return false;
}

/* False when the name is not known. */
static bool
add_parameter(struct mask *mask, const char *key, size_t key_len, const char *value,
    size_t value_len)
{
	bool is_shown = is_among(harmless, ARRAY_SIZE(harmless), key, key_len);

	if (!is_shown && !is_among(covered, ARRAY_SIZE(covered), key, key_len))
		return false;
	/* libpq takes a whole URI for the name of a database */
	if (memmem(value, value_len, "://", 3))
		is_shown = false;
	text_add_bytes(&mask->out, key, key_len);
	text_add_char(&mask->out, '=');
	if (is_shown)
		text_add_bytes(&mask->out, value, value_len);
	else
		cover(mask, value, value_len);
	return true;
}

/* The parameters behind the '?' of a URI. False when one is not understood, or its name
 * is escaped. */
static bool
mask_query(struct mask *mask, const char *at)
{
	char lead = '?';

	while (*at) {
		size_t len = strcspn(at, "&");
		size_t key_len = strcspn(at, "=&");

		if (key_len == len)
			return false;
		text_add_char(&mask->out, lead);
		if (!add_parameter(
			mask, at, key_len, at + key_len + 1, len - key_len - 1))
			return false;
		at += len;
		at += *at == '&';
		lead = '&';
	}
	return true;
}

/* Whether what stands behind each ':' of hosts and ports is a number, and not a password
 * without its '@'. */
static bool
has_only_ports(const char *hosts, size_t len)
{
	bool bracket = false; /* an IPv6 address has colons of its own */
	bool port = false;

	for (size_t i = 0; i < len; i++) {
		bracket = hosts[i] == '[' || (bracket && hosts[i] != ']');
		if (bracket)
			continue;
		if (port && hosts[i] != ',' && (hosts[i] < '0' || hosts[i] > '9'))
			return false;
		port = hosts[i] == ':' || (port && hosts[i] != ',');
	}
	return true;
}

/*
 * Behind the scheme. The user part ends at the last '@', not at the first '/' as the
 * standard has it: a password with a bare '/' or '@' is a mistake, and a secret all the
 * same. An '@' behind a '?' may belong to either, so that is not understood.
 */
static bool
mask_uri(struct mask *mask, const char *at)
{
	const char *end = strrchr(at, '@');
	const char *colon = end ? memchr(at, ':', (size_t)(end - at)) : NULL;
	size_t len = 0;

	if (end && memchr(at, '?', (size_t)(end - at)))
		return false;
	if (!end && !has_only_ports(at, strcspn(at, "/?")))
		return false;
	if (colon) {
		text_add_bytes(&mask->out, at, (size_t)(colon + 1 - at));
		cover(mask, colon + 1, (size_t)(end - colon - 1));
		at = end;
	}
	len = strcspn(at, "?");
	text_add_bytes(&mask->out, at, len);
	return at[len] != '?' || mask_query(mask, at + len + 1);
}

/* Length of a value in a keyword string, quotes and backslashes included; false: it does
 * not end. */
static bool
value_length(const char *value, size_t *len)
{
	bool quoted = value[0] == '\'';
	size_t i = quoted ? 1 : 0;

	while (
	    value[i] && (quoted ? value[i] != '\'' : !strchr(" \t\n\r\f\v", value[i]))) {
		if (value[i] == '\\' && value[i + 1])
			i++;
		i++;
	}
	*len = quoted ? i + 1 : i;
	return !quoted || value[i] == '\'';
}

static bool
mask_keywords(struct mask *mask, const char *at)
{
	static const char space[] = " \t\n\r\f\v";

	for (at += strspn(at, space); *at; at += strspn(at, space)) {
		const char *key = at;
		size_t key_len = strcspn(at, " \t\n\r\f\v=");
		size_t value_len = 0;

		at += key_len;
		at += strspn(at, space);
		if (key_len == 0 || *at != '=')
			return false;
		at++;
		at += strspn(at, space);
		if (!value_length(at, &value_len))
			return false;
		if (mask->out.len > 0)
			text_add_char(&mask->out, ' ');
		if (!add_parameter(mask, key, key_len, at, value_len))
			return false;
		at += value_len;
	}
	return true;
}

static void
mask_all(struct mask *mask, const void *ctx, const char *conninfo)
{
	static const char *const schemes[] = { "postgresql://", "postgres://" };
	bool understood = false;

	*mask = (struct mask){ .ctx = ctx };
	text_init(&mask->out, ctx, MASKED_BYTES);
	for (size_t i = 0; i < ARRAY_SIZE(schemes); i++) {
		size_t len = strlen(schemes[i]);

		if (strncmp(conninfo, schemes[i], len) == 0) {
			text_add(&mask->out, schemes[i]);
			understood = mask_uri(mask, conninfo + len);
			break;
		}
	}
	if (mask->out.len == 0)
		understood = mask_keywords(mask, conninfo);
	if (!understood || text_failed(&mask->out)) {
		text_reset(&mask->out);
		cover(mask, conninfo, strlen(conninfo));
	}
}

char *
conninfo_mask(const void *ctx, const char *conninfo)
{
	void *scratch = mem_context(NULL, "mask");
	struct mask mask;
	char *shown;

	mask_all(&mask, scratch, conninfo);
	shown = mem_strdup(ctx, mask.out.data);
	talloc_free(scratch);
	return shown;
}

const char **
conninfo_covered(const void *ctx, const char *conninfo, size_t *n)
{
	struct mask mask;

	mask_all(&mask, ctx, conninfo);
	talloc_free(mask.out.data);
	*n = mask.n;
	return mask.covered;
}
