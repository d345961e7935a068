/* SPDX-License-Identifier: PostgreSQL */
#include "db/sqlstate.h"

#include <string.h>

#include "base/macros.h"

/*
 * The first row whose code is a prefix decides, so codes stand before their class.
 * Appendix A of the PostgreSQL manual.
 */
static const struct {
	const char *prefix;
	enum category category;
} rows[] = {
	{ "08", CAT_NETWORK_ERROR }, /* connection exceptions */
	{ "25006",
	    CAT_NETWORK_ERROR }, /* read_only_sql_transaction: a standby; another server may do */
	{ "28", CAT_PERMISSION_DENIED },    /* invalid authorization */
	{ "40P01", CAT_LOCK_TIMEOUT },      /* deadlock_detected */
	{ "42501", CAT_PERMISSION_DENIED }, /* insufficient_privilege */
	{ "42601", CAT_SQL_SYNTAX_ERROR },  /* syntax_error */
	{ "53300", CAT_NETWORK_ERROR },     /* too_many_connections */
	{ "55P03", CAT_LOCK_TIMEOUT },      /* lock_not_available */
	{ "57014", CAT_STATEMENT_TIMEOUT }, /* query_canceled */
	{ "57P01", CAT_NETWORK_ERROR },     /* admin_shutdown */
	{ "57P02", CAT_NETWORK_ERROR },     /* crash_shutdown */
	{ "57P03", CAT_NETWORK_ERROR },     /* cannot_connect_now */
	{ "57P05", CAT_NETWORK_ERROR },     /* idle_session_timeout */
};

enum category
sqlstate_category(const char *sqlstate)
{
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++)
		if (strncmp(sqlstate, rows[i].prefix, strlen(rows[i].prefix)) == 0)
			return rows[i].category;
	return CAT_SQL_ERROR;
}
