/* SPDX-License-Identifier: PostgreSQL */
#include "db/journal.h"

/*
 * What the journal says of single migrations: the newest word on each.
 */

/*
 * A tracking table knows its migrations by version or by file name, so both are given.
 * Only the newest word on each counts: what was taken out of the tracking table and
 * then really applied is a baseline no more.
 */
struct pgconn_statement
journal_baselined(const void *ctx, const struct journal_owner *owner)
{
	return journal_ask(ctx, owner,
	    "SELECT k.key FROM (SELECT DISTINCT ON (w.id) w.id, w.version, "
	    "r.operation OPERATOR(pg_catalog.=) 'baseline' OR "
	    "coalesce(w.baseline, false) AS baselined "
	    "FROM migrationd.runs AS r, "
	    "LATERAL pg_catalog.jsonb_to_recordset(r.migrations) "
	    "AS w(id pg_catalog.text, version pg_catalog.text, baseline pg_catalog.bool)",
	    " ORDER BY w.id, r.id DESC) AS last, "
	    "LATERAL (VALUES (last.version), (pg_catalog.concat(last.id, '.sql'))) "
	    "AS k(key) WHERE last.baselined");
}

/* Only the newest word on each counts, as above. */
struct pgconn_statement
journal_checksums(const void *ctx, const struct journal_owner *owner)
{
	return journal_ask(ctx, owner,
	    "SELECT DISTINCT ON (w.id COLLATE pg_catalog.\"C\") w.id, w.checksum "
	    "FROM migrationd.runs AS r, "
	    "LATERAL pg_catalog.jsonb_to_recordset(r.migrations) "
	    "AS w(id pg_catalog.text, checksum pg_catalog.text)",
	    " AND w.checksum IS NOT NULL ORDER BY w.id COLLATE pg_catalog.\"C\", r.id DESC");
}

void
journal_read_checksums(const PGresult *result, struct history *history)
{
	for (int i = 0; i < PQntuples(result); i++)
		history_note_checksum(
		    history, PQgetvalue(result, i, 0), PQgetvalue(result, i, 1));
}
