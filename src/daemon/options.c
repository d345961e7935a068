/* SPDX-License-Identifier: PostgreSQL */
#include "daemon/options.h"

#include <ctype.h>
#include <stdio.h>
#include <string.h>

#include "base/spelling.h"
#include "core/layout.h"
#include "daemon/config.h"
#include "db/engine.h"
#include "db/tracking.h"

#define FIELD(name) offsetof(struct config, name)
#define SECOND      INT64_C(1000)
#define MINUTE      (60 * SECOND)
#define HOUR        (60 * MINUTE)
#define DAY         (24 * HOUR)

/* In the order of the enums that the fields hold. */
static const char *const transactions[] = { "migration", "run", NULL };
static const char *const other_trackings[] = { "refuse", "ignore", NULL };
static const char *const out_of_orders[] = { "refuse", "apply", "skip", NULL };
static const char *const on_modifieds[] = { "warn", "refuse", NULL };
static const char *const lock_modes[] = { "auto", "advisory", "lease", NULL };
static const char *const seeds_whens[] = { "change", "always", NULL };
static const char *const log_formats[] = { "text", "json", NULL };
static const char *const log_levels[] = { "error", "warning", "info", "debug", NULL };

/* clang-format off */
const struct option_row option_table[] = {
	/* What and where */
	{ .name = "migrations", .type = OPTION_STRING, .offset = FIELD(migrations),
	  .flags = OPTION_RELOAD, .fallback = "migrations", .argument = "DIR", .group = 'm',
	  .help = "The folder with the migrations." },
	{ .name = "layout", .type = OPTION_CHOICE, .offset = FIELD(layout),
	  .flags = OPTION_RELOAD, .fallback = "auto", .names = layout_name,
	  .argument = "LAYOUT", .group = 'm',
	  .help = "How the folder is laid out; auto looks what is there." },
	{ .name = "manifest", .type = OPTION_STRING, .offset = FIELD(manifest),
	  .flags = OPTION_RELOAD, .argument = "FILE", .group = 'm',
	  .help = "File in the folder that lists the migrations in their order, as text or "
		  "JSON." },

	{ .name = "data", .type = OPTION_STRING, .offset = FIELD(data),
	  .flags = OPTION_RELOAD, .argument = "DIR", .group = 'm',
	  .help = "A folder of data migrations, YYYY-MM-DD_description.sql, which run once "
		  "behind the migrations; one that fails stops nothing." },
	{ .name = "repeatable", .type = OPTION_STRING, .offset = FIELD(repeatable),
	  .flags = OPTION_RELOAD, .argument = "DIR", .group = 'm',
	  .help = "A folder of files that run again when they have changed: views, "
		  "functions." },
	{ .name = "seeds", .type = OPTION_STRING, .offset = FIELD(seeds),
	  .flags = OPTION_RELOAD, .argument = "DIR", .group = 'm',
	  .help = "A folder of files with rows that have to be there, which do no harm when "
		  "they run again." },
	{ .name = "seeds_when", .type = OPTION_CHOICE, .offset = FIELD(seeds_when),
	  .flags = OPTION_RELOAD, .fallback = "change", .choices = seeds_whens, .group = 'm',
	  .help = "Run a seed when it has changed, or in every run." },

	/* Database */
	{ .name = "database_url", .type = OPTION_STRING, .offset = FIELD(database_url),
	  .flags = OPTION_RELOAD | OPTION_SECRET, .env = "DATABASE_URL",
	  .argument = "URL", .group = 'd',
	  .help = "Connection string as libpq takes it, a URI or key=value; without one "
		  "libpq's PG* variables decide." },
	{ .name = "database_url_file", .type = OPTION_STRING,
	  .offset = FIELD(database_url_file), .flags = OPTION_RELOAD,
	  .env = "DATABASE_URL_FILE", .credential = "database-url",
	  .credential_is_path = true, .argument = "FILE", .group = 'd',
	  .help = "File with the connection string, read again at each connect." },
	{ .name = "database_direct_url", .type = OPTION_STRING,
	  .offset = FIELD(database_direct_url), .flags = OPTION_RELOAD | OPTION_SECRET,
	  .env = "DATABASE_DIRECT_URL", .argument = "URL", .group = 'd',
	  .help = "Connection string that leads past a connection pooler: runs take it, "
		  "and database_url is only looked at." },
	{ .name = "database_direct_url_file", .type = OPTION_STRING,
	  .offset = FIELD(database_direct_url_file), .flags = OPTION_RELOAD,
	  .env = "DATABASE_DIRECT_URL_FILE", .credential = "database-direct-url",
	  .credential_is_path = true, .argument = "FILE", .group = 'd',
	  .help = "File with that connection string, read again at each connect." },
	{ .name = "password_file", .type = OPTION_STRING, .offset = FIELD(password_file),
	  .flags = OPTION_RELOAD, .credential = "password", .credential_is_path = true,
	  .argument = "FILE", .group = 'd',
	  .help = "File with the password of the database, read again at each connect." },
	{ .name = "password_command", .type = OPTION_STRING,
	  .offset = FIELD(password_command),
	  .flags = OPTION_RELOAD | OPTION_SECRET | OPTION_COMMAND, .argument = "COMMAND",
	  .group = 'd',
	  .help = "Program, with arguments, that prints the password of the database; run at "
		  "each connect, without a shell." },
	{ .name = "ephemeral", .type = OPTION_BOOL, .offset = FIELD(ephemeral),
	  .fallback = "off", .group = 'd',
	  .help = "Start a private throw-away PostgreSQL instead, gone at exit." },
	{ .name = "connect_timeout", .type = OPTION_DURATION,
	  .offset = FIELD(connect_timeout_ms), .flags = OPTION_RELOAD, .fallback = "10s",
	  .min = 100, .max = 10 * MINUTE, .group = 'd',
	  .help = "How long one attempt to connect may take." },
	{ .name = "connect_wait", .type = OPTION_DURATION, .offset = FIELD(connect_wait_ms),
	  .flags = OPTION_RELOAD, .fallback = "30s", .max = DAY, .group = 'd',
	  .help = "How long a run goes on trying to connect; 0 is one attempt." },
	{ .name = "connection_max_age", .type = OPTION_DURATION,
	  .offset = FIELD(connection_max_age_ms), .flags = OPTION_RELOAD, .fallback = "0",
	  .max = DAY, .group = 'd',
	  .help = "How old a run's connection may be when the next statement of a file that runs "
		  "in segments, or the next file, begins; 0 is what the engine asks for." },
	{ .name = "engine", .type = OPTION_CHOICE, .offset = FIELD(engine),
	  .flags = OPTION_RELOAD, .fallback = "auto", .names = engine_name,
	  .argument = "auto|NAME", .group = 'd',
	  .help = "Which server it is, where what it says of itself misleads." },
	{ .name = "refresh_interval", .type = OPTION_DURATION,
	  .offset = FIELD(refresh_interval_ms), .flags = OPTION_RELOAD, .fallback = "10s",
	  .min = SECOND, .max = DAY, .group = 'd',
	  .help = "How often the daemon looks what the database holds." },
	{ .name = "instance", .type = OPTION_STRING, .offset = FIELD(instance),
	  .flags = OPTION_RELOAD, .argument = "NAME", .group = 'd',
	  .help = "Name of this daemon (of the pod), shown as application_name and as lock "
		  "holder." },

	/* Tracking */
	{ .name = "tracking", .type = OPTION_CHOICE, .offset = FIELD(tracking),
	  .flags = OPTION_RELOAD, .fallback = "auto", .names = tracking_name,
	  .argument = "KIND", .group = 't',
	  .help = "Kind of table that records what was applied; auto takes the layout's own." },
	{ .name = "tracking_schema", .type = OPTION_STRING, .offset = FIELD(tracking_schema),
	  .flags = OPTION_RELOAD, .argument = "NAME", .group = 't',
	  .help = "Schema of that table; without one the kind's own." },
	{ .name = "tracking_table", .type = OPTION_STRING, .offset = FIELD(tracking_table),
	  .flags = OPTION_RELOAD, .argument = "NAME", .group = 't',
	  .help = "Name of that table; without one the kind's own." },
	{ .name = "other_tracking", .type = OPTION_CHOICE, .offset = FIELD(other_tracking),
	  .flags = OPTION_RELOAD, .fallback = "refuse", .choices = other_trackings,
	  .group = 't',
	  .help = "What to do where that table has no rows, but another tool's has." },
	{ .name = "journal", .type = OPTION_BOOL, .offset = FIELD(journal),
	  .flags = OPTION_RELOAD, .fallback = "on", .group = 't',
	  .help = "Record runs in tables of our own in schema migrationd, if the role may "
		  "create it." },
	{ .name = "guard", .type = OPTION_BOOL, .offset = FIELD(guard),
	  .flags = OPTION_RELOAD, .fallback = "off", .group = 't',
	  .help = "Keep drizzle-orm's own migrate() from applying twice what is applied "
		  "here, by a unique index on its table." },

	/* Applying */
	{ .name = "apply_on_start", .type = OPTION_BOOL, .offset = FIELD(apply_on_start),
	  .flags = OPTION_RELOAD, .fallback = "off", .group = 'a',
	  .help = "Apply what is pending when the daemon starts." },
	{ .name = "apply_on_change", .type = OPTION_BOOL, .offset = FIELD(apply_on_change),
	  .flags = OPTION_RELOAD, .fallback = "off", .group = 'a',
	  .help = "Apply what is pending when the folder changes." },
	{ .name = "rollback", .type = OPTION_BOOL, .offset = FIELD(rollback),
	  .flags = OPTION_RELOAD, .fallback = "off", .group = 'a',
	  .help = "Take POST /rollback, which undoes migrations by what their files say of "
		  "the way back." },
	{ .name = "transaction", .type = OPTION_CHOICE, .offset = FIELD(transaction),
	  .flags = OPTION_RELOAD, .fallback = "migration", .choices = transactions, .group = 'a',
	  .help = "One transaction for each migration, or one for the whole run." },
	{ .name = "out_of_order", .type = OPTION_CHOICE, .offset = FIELD(out_of_order),
	  .flags = OPTION_RELOAD, .fallback = "refuse", .choices = out_of_orders, .group = 'a',
	  .help = "What to do about a migration that is older than the newest applied; skip "
		  "is what drizzle-orm 0.x does." },
	{ .name = "immutable", .type = OPTION_STRING, .offset = FIELD(immutable),
	  .flags = OPTION_RELOAD, .argument = "FROM-TO", .group = 'a',
	  .help = "Numbers of migrations that must not change once they are applied, as "
		  "001-009." },
	{ .name = "on_modified", .type = OPTION_CHOICE, .offset = FIELD(on_modified),
	  .flags = OPTION_RELOAD, .fallback = "warn", .choices = on_modifieds, .group = 'a',
	  .help = "What to do when the file of an applied migration has changed." },
	{ .name = "lock_wait", .type = OPTION_DURATION, .offset = FIELD(lock_wait_ms),
	  .flags = OPTION_RELOAD, .fallback = "15min", .max = 7 * DAY, .group = 'a',
	  .help = "How long a run waits for another migrationd to finish; 0 does not wait." },
	{ .name = "lock", .type = OPTION_CHOICE, .offset = FIELD(lock),
	  .flags = OPTION_RELOAD, .fallback = "auto", .choices = lock_modes, .group = 'a',
	  .help = "How other migrationds are kept out: a session's advisory lock, or a lease "
		  "in a row where a pooler makes that unsafe." },
	{ .name = "ddl_lock_timeout", .type = OPTION_DURATION,
	  .offset = FIELD(ddl_lock_timeout_ms), .flags = OPTION_RELOAD, .fallback = "5s",
	  .max = DAY, .group = 'a',
	  .help = "How long a statement of a migration waits for a table before the migration "
		  "lets go and is tried again; 0 is for ever." },
	{ .name = "statement_timeout", .type = OPTION_DURATION,
	  .offset = FIELD(statement_timeout_ms), .flags = OPTION_RELOAD, .fallback = "0",
	  .max = 7 * DAY, .group = 'a',
	  .help = "How long one statement of a migration may run; 0 is for ever." },
	{ .name = "yield_after", .type = OPTION_NUMBER, .offset = FIELD(yield_after),
	  .flags = OPTION_RELOAD, .fallback = "0", .max = 10000, .argument = "SESSIONS",
	  .group = 'a',
	  .help = "Let go, and try again later, when so many sessions queue behind a "
		  "migration that waits itself; 0 never." },
	{ .name = "batch_max_lag", .type = OPTION_DURATION,
	  .offset = FIELD(batch_max_lag_ms), .flags = OPTION_RELOAD, .fallback = "10s",
	  .max = DAY, .group = 'a',
	  .help = "The next batch of a backfill waits while a replica is further behind; 0 "
		  "does not look." },
	{ .name = "batch_max_active", .type = OPTION_NUMBER,
	  .offset = FIELD(batch_max_active), .flags = OPTION_RELOAD, .fallback = "0",
	  .max = 10000, .argument = "SESSIONS", .group = 'a',
	  .help = "The next batch of a backfill waits while more sessions are active; 0 does "
		  "not look." },

	/* Hooks */
	{ .name = "hook_before", .type = OPTION_STRING, .offset = FIELD(hook_before),
	  .flags = OPTION_RELOAD | OPTION_SECRET | OPTION_COMMAND, .argument = "COMMAND",
	  .group = 'k',
	  .help = "Program, with arguments, to run before a run that has something to do; no "
		  "shell." },
	{ .name = "hook_after", .type = OPTION_STRING, .offset = FIELD(hook_after),
	  .flags = OPTION_RELOAD | OPTION_SECRET | OPTION_COMMAND, .argument = "COMMAND",
	  .group = 'k',
	  .help = "Program to run after it, however it went." },
	{ .name = "hook_failure", .type = OPTION_STRING, .offset = FIELD(hook_failure),
	  .flags = OPTION_RELOAD | OPTION_SECRET | OPTION_COMMAND, .argument = "COMMAND",
	  .group = 'k',
	  .help = "Program to run after each run that did not succeed." },
	{ .name = "hook_timeout", .type = OPTION_DURATION, .offset = FIELD(hook_timeout_ms),
	  .flags = OPTION_RELOAD, .fallback = "5min", .min = 100, .max = 7 * DAY,
	  .group = 'k',
	  .help = "How long a hook may run before it is killed." },
	{ .name = "hook_required", .type = OPTION_BOOL, .offset = FIELD(hook_required),
	  .flags = OPTION_RELOAD, .fallback = "off", .group = 'k',
	  .help = "Apply nothing before hook_before has succeeded." },

	{ .name = "webhook_url", .type = OPTION_LIST, .offset = FIELD(webhook_url),
	  .flags = OPTION_RELOAD | OPTION_SECRET, .argument = "URL", .group = 'k',
	  .help = "Where to POST a message when a run begins and ends; more than once for more "
		  "receivers." },
	{ .name = "webhook_secret_file", .type = OPTION_STRING,
	  .offset = FIELD(webhook_secret_file), .flags = OPTION_RELOAD,
	  .credential = "webhook-secret", .credential_is_path = true, .argument = "FILE",
	  .group = 'k',
	  .help = "File with the secret that signs them (whsec_...), read again for each." },

	/* Watching */
	{ .name = "settle", .type = OPTION_DURATION, .offset = FIELD(settle_ms),
	  .flags = OPTION_RELOAD, .fallback = "500ms", .min = 10, .max = MINUTE, .group = 'w',
	  .help = "How long the folder must be quiet before it is read again." },
	{ .name = "rescan_interval", .type = OPTION_DURATION,
	  .offset = FIELD(rescan_interval_ms), .flags = OPTION_RELOAD, .fallback = "30s",
	  .min = SECOND, .max = DAY, .group = 'w',
	  .help = "How often it is read again although nothing was heard of a change." },

	/* HTTP */
	{ .name = "listen", .type = OPTION_LIST, .offset = FIELD(listen),
	  .fallback = "127.0.0.1:8432", .argument = "HOST:PORT|unix:PATH", .group = 'h',
	  .help = "Where to serve HTTP; more than once for more addresses." },
	{ .name = "probe_listen", .type = OPTION_LIST, .offset = FIELD(probe_listen),
	  .argument = "HOST:PORT|unix:PATH", .group = 'h',
	  .help = "A listener of their own for /livez, /readyz, /current and /metrics, which "
		  "busy clients cannot fill." },
	{ .name = "token_file", .type = OPTION_STRING, .offset = FIELD(token_file),
	  .flags = OPTION_RELOAD, .credential = "api-token", .credential_is_path = true,
	  .argument = "FILE", .group = 'h',
	  .help = "File with the bearer token that requests which change something must carry." },
	{ .name = "allowed_hosts", .type = OPTION_LIST, .offset = FIELD(allowed_hosts),
	  .flags = OPTION_RELOAD, .argument = "NAME", .group = 'h',
	  .help = "Names by which clients may call the daemon besides its addresses; * is any." },
	{ .name = "insecure", .type = OPTION_BOOL, .offset = FIELD(insecure), .fallback = "off",
	  .group = 'h',
	  .help = "Serve other machines without a token." },
	{ .name = "request_timeout", .type = OPTION_DURATION,
	  .offset = FIELD(request_timeout_ms), .fallback = "10s", .min = 100, .max = HOUR,
	  .group = 'h',
	  .help = "How long a client may take to send its request." },
	{ .name = "shutdown_grace", .type = OPTION_DURATION, .offset = FIELD(shutdown_grace_ms),
	  .flags = OPTION_RELOAD, .fallback = "25s", .max = DAY, .group = 'h',
	  .help = "How long a migration in hand may go on after SIGTERM before it is "
		  "cancelled." },

	/* Log */
	{ .name = "log_format", .type = OPTION_CHOICE, .offset = FIELD(log_format),
	  .flags = OPTION_RELOAD, .fallback = "text", .choices = log_formats, .group = 'l',
	  .help = "How a log line looks, on standard error." },
	{ .name = "log_level", .type = OPTION_CHOICE, .offset = FIELD(log_level),
	  .flags = OPTION_RELOAD, .fallback = "info", .choices = log_levels, .group = 'l',
	  .help = "The least important lines to write." },

	/* Actions */
	{ .name = "config", .type = OPTION_STRING, .offset = FIELD(config_path),
	  .flags = OPTION_FLAG_ONLY, .argument = "FILE", .group = 'x',
	  .help = "Configuration file; without the flag " SYSCONFDIR
		  "/migrationd/migrationd.conf, if it exists." },
	{ .name = "once", .type = OPTION_BOOL, .offset = FIELD(once), .flags = OPTION_FLAG_ONLY,
	  .group = 'x',
	  .help = "Apply what is pending, print the run, exit with a code that says how it "
		  "went." },
	{ .name = "check_config", .type = OPTION_BOOL, .offset = FIELD(check_config),
	  .flags = OPTION_FLAG_ONLY, .group = 'x',
	  .help = "Check the configuration and exit." },
	{ .name = "print_config", .type = OPTION_BOOL, .offset = FIELD(print_config),
	  .flags = OPTION_FLAG_ONLY, .group = 'x',
	  .help = "Print each setting with its origin, secrets masked, and exit." },
	{ .name = "version", .type = OPTION_BOOL, .offset = FIELD(version),
	  .flags = OPTION_FLAG_ONLY, .group = 'x',
	  .help = "Print the version and exit." },
	{ .name = "help", .type = OPTION_BOOL, .offset = FIELD(help), .flags = OPTION_FLAG_ONLY,
	  .group = 'x',
	  .help = "Print this and exit." },
};
/* clang-format on */

const size_t option_count = ARRAY_SIZE(option_table);

const char option_groups[] = "mdtawkhlx";

const char *
option_group(char group)
{
	switch (group) {
	case 'm':
		return "Migrations";
	case 'd':
		return "Database";
	case 't':
		return "Tracking table";
	case 'a':
		return "Applying";
	case 'w':
		return "Watching the folder";
	case 'k':
		return "Hooks and webhooks";
	case 'h':
		return "HTTP";
	case 'l':
		return "Log";
	case 'x':
		return "Actions";
	default:
		return NULL;
	}
}

const struct option_row *
option_find(const char *name)
{
	for (size_t i = 0; i < option_count; i++) {
		if (strcmp(option_table[i].name, name) == 0)
			return &option_table[i];
	}
	return NULL;
}

/* The name with one character in place of another, and in capitals where wanted. */
static const char *
respell(
    const char *prefix, const char *name, char dash, bool capital, char *buf, size_t size)
{
	size_t len = strlen(prefix);

	snprintf(buf, size, "%s%s", prefix, name);
	for (char *c = buf + len; *c; c++)
		*c = *c == '_' ? dash : (char)(capital ? toupper((unsigned char)*c) : *c);
	return buf;
}

const char *
option_flag(const struct option_row *row, char *buf, size_t size)
{
	return respell("--", row->name, '-', false, buf, size);
}

const char *
option_env(const struct option_row *row, char *buf, size_t size)
{
	return respell("MIGRATIOND_", row->name, '_', true, buf, size);
}

const struct option_row *
option_find_flag(const char *flag)
{
	char buf[OPTION_NAME];

	for (size_t i = 0; i < option_count; i++) {
		if (strcmp(option_flag(&option_table[i], buf, sizeof(buf)) + 2, flag) ==
		    0)
			return &option_table[i];
	}
	return NULL;
}

const char *
option_nearest(const char *name)
{
	char spelled[OPTION_NAME];
	struct spelling spelling = { .word = spelled };
	size_t len = strlen(name);

	if (len >= sizeof(spelled))
		return NULL;
	for (size_t i = 0; i <= len; i++)
		spelled[i] = name[i] == '-' ? '_' : (char)tolower((unsigned char)name[i]);
	for (size_t i = 0; i < option_count; i++)
		spelling_try(&spelling, option_table[i].name);
	return spelling_nearest(&spelling);
}
