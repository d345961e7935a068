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
add_parameter(struct text *out, const char *key, size_t key_len, const char *value,
    size_t value_len)
{
	bool is_shown = is_among(harmless, ARRAY_SIZE(harmless), key, key_len);

	if (!is_shown && !is_among(covered, ARRAY_SIZE(covered), key, key_len))
		return false;
	/* libpq takes a whole URI for the name of a database */
	if (memmem(value, value_len, "://", 3))
		is_shown = false;
	text_add_bytes(out, key, key_len);
	text_add_char(out, '=');
	text_add_bytes(out, is_shown ? value : MASK, is_shown ? value_len : strlen(MASK));
	return true;
}

/* The parameters behind the '?' of a URI. False when one is not understood, or its name
 * is escaped. */
static bool
mask_query(struct text *out, const char *at)
{
	char lead = '?';

	while (*at) {
		size_t len = strcspn(at, "&");
		size_t key_len = strcspn(at, "=&");

		if (key_len == len)
			return false;
		text_add_char(out, lead);
		if (!add_parameter(out, at, key_len, at + key_len + 1, len - key_len - 1))
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
mask_uri(struct text *out, const char *at)
{
	const char *end = strrchr(at, '@');
	const char *colon = end ? memchr(at, ':', (size_t)(end - at)) : NULL;
	size_t len = 0;

	if (end && memchr(at, '?', (size_t)(end - at)))
		return false;
	if (!end && !has_only_ports(at, strcspn(at, "/?")))
		return false;
	if (colon) {
		text_add_bytes(out, at, (size_t)(colon + 1 - at));
		text_add(out, MASK);
		at = end;
	}
	len = strcspn(at, "?");
	text_add_bytes(out, at, len);
	return at[len] != '?' || mask_query(out, at + len + 1);
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
mask_keywords(struct text *out, const char *at)
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
		if (out->len > 0)
			text_add_char(out, ' ');
		if (!add_parameter(out, key, key_len, at, value_len))
			return false;
		at += value_len;
	}
	return true;
}

char *
conninfo_mask(const void *ctx, const char *conninfo)
{
	static const char *const schemes[] = { "postgresql://", "postgres://" };
	struct text out;
	bool understood = false;

	text_init(&out, ctx, MASKED_BYTES);
	for (size_t i = 0; i < ARRAY_SIZE(schemes); i++) {
		size_t len = strlen(schemes[i]);

		if (strncmp(conninfo, schemes[i], len) == 0) {
			text_add(&out, schemes[i]);
			understood = mask_uri(&out, conninfo + len);
			break;
		}
	}
	if (out.len == 0)
		understood = mask_keywords(&out, conninfo);
	if (!understood || text_failed(&out)) {
		text_reset(&out);
		text_add(&out, MASK);
	}
	return out.data;
}
