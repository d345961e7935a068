/* SPDX-License-Identifier: PostgreSQL */
#include <stdio.h>
#include <string.h>

#include "db/pgconn_internal.h"
#include "db/sqlstate.h"

/* What libpq says of a connection that did not come about. */

/* Cut ":  28P01: " down to ":  " where the server's SQLSTATE is, and note it. */
static void
cut_sqlstate(char *line, struct err *err)
{
	for (char *p = strstr(line, ":  "); p; p = strstr(p + 1, ":  ")) {
		char *state = p + 3;

		if (strspn(state, "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ") != 5 ||
		    state[5] != ':')
			continue;
		memcpy(err->sqlstate, state, 5);
		memmove(state, state + 7, strlen(state + 7) + 1);
		return;
	}
}

/*
 * libpq keeps no SQLSTATE of a failed connection, but in verbose mode its message has
 * it. The message has a line for each address tried, lines of their own for DETAIL,
 * HINT and LOCATION, and a question after a tab.
 */
static void
read_failure(const char *message, struct err *err)
{
	char text[sizeof(err->text) * 2] = "";
	char last[512] = "";

	while (*message) {
		size_t len = strcspn(message, "\n");
		size_t used = strlen(text);
		char line[512];

		(void)snprintf(line, sizeof(line), "%.*s", (int)len, message);
		message += len + (message[len] == '\n');
		cut_sqlstate(line, err);
		if (strncmp(line, "DETAIL:  ", 9) == 0)
			(void)snprintf(err->detail, sizeof(err->detail), "%s", line + 9);
		else if (strncmp(line, "HINT:  ", 7) == 0)
			err_hint(err, "%s", line + 7);
		else if (*line == '\t')
			err_hint(err, "%s", line + 1);
		else if (*line && strncmp(line, "LOCATION:  ", 11) != 0 &&
		    strcmp(line, last) != 0)
			(void)snprintf(text + used, sizeof(text) - used, "%s%s",
			    used ? "; " : "", line);
		memcpy(last, line, sizeof(last));
	}
	err_set(err,
	    *err->sqlstate ? sqlstate_category(err->sqlstate) : CAT_NETWORK_ERROR, "%s",
	    *text ? text : "the connection failed");
}

/*
 * libpq (13 to 17) speaks of the connection string, or of the environment that adds to it:
 * no other try makes that right. Its messages are not translated here.
 */
static bool
is_bad_option(const char *text)
{
	static const char *const phrases[] = { " for connection option \"",
		" invalid when ", "could not match ", "weak sslmode ",
		"definition of service ", "service file \"" };

	if (strncmp(text, "invalid ", 8) == 0)
		return true;
	for (size_t i = 0; i < ARRAY_SIZE(phrases); i++)
		if (strstr(text, phrases[i]) != NULL)
			return true;
	return false;
}

/* What the server said of the string: it runs, so its own words are no help to go on. */
static void
hint_at_string(struct err *err)
{
	if (strcmp(err->sqlstate, "3D000") == 0)
		err_hint(err, "create it, or name another one in database_url");
	else if (strncmp(err->sqlstate, "28", 2) == 0)
		err_hint(err,
		    "see that user and password in database_url are right, and that "
		    "pg_hba.conf of the server lets them in");
}

void
pgconn_read_failure(PGconn *pq, struct err *err)
{
	read_failure(PQerrorMessage(pq), err);
	/*
	 * Where nothing names a server, libpq looks for one of its own accord, and asks whether
	 * it runs; one that has answered does.
	 */
	if (*err->sqlstate == '\0' && !PQconnectionNeedsPassword(pq) &&
	    strstr(PQerrorMessage(pq), " on socket \"") != NULL) {
		err->hint[0] = '\0';
		err_hint(err,
		    "see that a server listens on that socket, or say where another one "
		    "is: database_url, DATABASE_URL or PGHOST");
	}
	/* 3D000 no such database and the like: what the string asks for is not there */
	if (err->category == CAT_SQL_ERROR)
		err->category = CAT_CONFIGURATION;
	if (*err->sqlstate == '\0' && is_bad_option(err->text)) {
		err->category = CAT_CONFIGURATION;
		err->http_status = 422;
		err->exit_code = EXIT_CONFIGURATION;
		err_hint(err,
		    "mend it in database_url or database_direct_url, or in the PG... "
		    "variable of the environment that says it");
	}
	if (PQconnectionNeedsPassword(pq)) {
		err->category = CAT_PERMISSION_DENIED;
		err_hint(err,
		    "give a password: in the connection string, by PGPASSWORD, "
		    "password_file or password_command");
	}
	hint_at_string(err);
}
