/* SPDX-License-Identifier: PostgreSQL */
#include "db/pgconn_info.h"

#include <string.h>

#include "base/bounds.h"
#include "base/mem.h"
#include "base/text.h"

/*
 * A dead peer is noticed within about 11 s: 5 s of silence, then three probes 2 s
 * apart.
 */
#define KEEPALIVES_IDLE     "5"
#define KEEPALIVES_INTERVAL "2"
#define KEEPALIVES_COUNT    "3"

/* Of an empty element in a list of ports, whatever PGPORT says. */
#define DEFAULT_PORT "5432"

static const char *
option(const PQconninfoOption *options, const char *keyword)
{
	for (; options && options->keyword; options++)
		if (strcmp(options->keyword, keyword) == 0)
			return options->val ? options->val : "";
	return "";
}

/* As given in the string, else as the environment and built-in defaults say. */
static const char *
effective(
    const PQconninfoOption *given, const PQconninfoOption *defaults, const char *keyword)
{
	const char *value = option(given, keyword);

	return *value ? value : option(defaults, keyword);
}

void
pgconn_info_set(struct pgconn_info *info, const char *keyword, const char *value)
{
	size_t n = info->n_settings;

	for (size_t i = 0; i < n; i++) {
		if (strcmp(info->keywords[i], keyword) != 0)
			continue;
		info->values[i] = mem_strdup(info, value);
		return;
	}
	info->keywords = mem_grow(info, info->keywords, const char *, n + 2);
	info->values = mem_grow(info, info->values, const char *, n + 2);
	info->keywords[n] = mem_strdup(info, keyword);
	info->values[n] = mem_strdup(info, value);
	info->keywords[n + 1] = NULL;
	info->values[n + 1] = NULL;
	info->n_settings++;
}

const char *
pgconn_info_get(const struct pgconn_info *info, const char *keyword)
{
	for (size_t i = 0; i < info->n_settings; i++)
		if (strcmp(info->keywords[i], keyword) == 0)
			return info->values[i];
	return NULL;
}

static void
set_default(struct pgconn_info *info, const PQconninfoOption *given, const char *keyword,
    const char *value)
{
	if (!*option(given, keyword))
		pgconn_info_set(info, keyword, value);
}

static void
collect_settings(struct pgconn_info *info, const PQconninfoOption *given,
    const struct pgconn_params *params)
{
	for (const PQconninfoOption *o = given; o->keyword; o++)
		if (o->val)
			pgconn_info_set(info, o->keyword, o->val);
	if (params->database)
		pgconn_info_set(info, "dbname", params->database);
	if (params->password)
		pgconn_info_set(info, "password", params->password);
	/* a name in the string or in PGAPPNAME was chosen by somebody */
	if (params->application_name)
		pgconn_info_set(
		    info, "fallback_application_name", params->application_name);
	pgconn_info_set(info, "client_encoding", "UTF8");
	set_default(info, given, "keepalives_idle", KEEPALIVES_IDLE);
	set_default(info, given, "keepalives_interval", KEEPALIVES_INTERVAL);
	set_default(info, given, "keepalives_count", KEEPALIVES_COUNT);
	info->own_user_timeout = !*option(given, "tcp_user_timeout");
}

/* Element `i` of a comma list; "" beyond its end. */
static const char *
list_element(const void *ctx, const char *list, size_t i)
{
	for (; i > 0; i--) {
		list += strcspn(list, ",");
		if (!*list)
			return "";
		list++;
	}
	return mem_strndup(ctx, list, strcspn(list, ","));
}

static size_t
list_length(const char *list)
{
	size_t n = 1;

	for (; *list; list++)
		n += *list == ',';
	return n;
}

static void
collect_hosts(struct pgconn_info *info, const char *names, const char *ports)
{
	size_t n_ports = list_length(ports);

	info->n_hosts = list_length(names);
	info->hosts = mem_array(info, struct pgconn_info_host, info->n_hosts);
	for (size_t i = 0; i < info->n_hosts; i++) {
		info->hosts[i].name = list_element(info, names, i);
		info->hosts[i].port = list_element(info, ports, n_ports == 1 ? 0 : i);
	}
}

bool
pgconn_info_is_socket(const struct pgconn_info_host *host)
{
	/* '@': a socket in the abstract namespace, PostgreSQL 14 and later */
	return !*host->name || *host->name == '/' || *host->name == '@';
}

static const char *
describe(const struct pgconn_info *info, const char *database, const char *user)
{
	struct text text;

	text_init(&text, info, 2 * BOUND_CONFIG_VALUE);
	for (size_t i = 0; i < info->n_hosts; i++) {
		const struct pgconn_info_host *host = &info->hosts[i];

		text_addf(&text, "%s%s%s:%s", i ? "," : "",
		    pgconn_info_is_socket(host) ? "socket " : "",
		    *host->name ? host->name : "(default)",
		    *host->port ? host->port : DEFAULT_PORT);
	}
	text_addf(&text, "/%s as %s", *database ? database : user, user);
	return text.data;
}

/*
 * A password with '/' or '@' in it that is not percent-encoded lands in host, port and
 * database, which are shown to people. So such a string is refused without a word of
 * it.
 */
static bool
is_misread_uri(
    const char *info, const char *hosts, const char *ports, const char *database)
{
	if (strncmp(info, "postgresql://", 13) != 0 &&
	    strncmp(info, "postgres://", 11) != 0)
		return false;
	return (*hosts && strchr(hosts + 1, '@')) ||
	    ports[strspn(ports, "0123456789,")] || strchr(database, '@');
}

int
pgconn_info_read(const void *ctx, const struct pgconn_params *params,
    struct pgconn_info **out, struct err *err)
{
	const char *string = params->conninfo ? params->conninfo : "";
	struct pgconn_info *info = mem_zero(ctx, struct pgconn_info);
	PQconninfoOption *defaults = PQconndefaults();
	PQconninfoOption *given = PQconninfoParse(string, NULL);
	const char *names = effective(given, defaults, "host");
	const char *ports = effective(given, defaults, "port");
	const char *database = effective(given, defaults, "dbname");
	int rc = -1;

	/* libpq's own message would quote the string, password and all */
	if (!given || is_misread_uri(string, names, ports, database)) {
		err_set(err, CAT_CONFIGURATION, "the connection string cannot be read");
		err_hint(err,
		    "write postgresql://user@host:5432/database or host=... user=... "
		    "dbname=...; percent-encode special characters of the password "
		    "(@ is %%40, / is %%2F)");
		goto out;
	}
	collect_settings(info, given, params);
	collect_hosts(info, names, ports);
	if (params->database)
		database = params->database;
	info->describe = describe(info, database, effective(given, defaults, "user"));
	/*
	 * addresses need no resolving, a service file may name hosts that we do not
	 * see, and of ports that do not fit the hosts libpq says so itself
	 */
	if (*effective(given, defaults, "hostaddr") || *option(given, "service") ||
	    (list_length(ports) != 1 && list_length(ports) != info->n_hosts))
		info->n_hosts = 0;
	*out = info;
	rc = 0;
out:
	PQconninfoFree(given);
	PQconninfoFree(defaults);
	return rc;
}
