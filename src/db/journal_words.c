/* SPDX-License-Identifier: PostgreSQL */
#include "db/journal.h"

/*
 * What the journal says of single migrations: the newest word on each.
 */

#include "base/bounds.h"
#include "base/mem.h"

/* Most runs of a journal that has grown large did nothing: they failed, or were refused. */
#define DID_SOMETHING " AND r.migrations OPERATOR(pg_catalog.<>) '[]'::pg_catalog.jsonb"

/* Files of other phases may have the names of the schema's; older releases did not say. */
#define OF_SCHEMA " AND coalesce(w.phase, 'schema') OPERATOR(pg_catalog.=) 'schema'"

/*
 * Not the newest one alone: a run that waited long is written behind a run that began after
 * it, and has the older id.
 */
struct pgconn_statement
journal_news(const void *ctx, const struct journal_owner *owner)
{
	return journal_ask(ctx, owner,
	    "SELECT pg_catalog.string_agg(n.id::pg_catalog.text, ',' ORDER BY n.id) "
	    "FROM (SELECT r.id FROM migrationd.runs AS r",
	    mem_printf(ctx, " ORDER BY r.id DESC LIMIT %u) AS n", BOUND_RUNS_KEPT));
}

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
	    "AS w(id pg_catalog.text, version pg_catalog.text, baseline pg_catalog.bool, "
	    "phase pg_catalog.text)",
	    mem_printf(ctx,
		DID_SOMETHING OF_SCHEMA
		" ORDER BY w.id, r.id DESC) AS last, "
		"LATERAL (VALUES (last.version), (pg_catalog.concat(last.id, '.sql'))) "
		"AS k(key) WHERE last.baselined LIMIT %u",
		2 * BOUND_HISTORY_ROWS));
}

/* Only the newest word on each counts, as above. */
struct pgconn_statement
journal_checksums(const void *ctx, const struct journal_owner *owner)
{
	return journal_ask(ctx, owner,
	    "SELECT DISTINCT ON (w.id COLLATE pg_catalog.\"C\") w.id, w.checksum "
	    "FROM migrationd.runs AS r, "
	    "LATERAL pg_catalog.jsonb_to_recordset(r.migrations) "
	    "AS w(id pg_catalog.text, checksum pg_catalog.text, phase pg_catalog.text)",
	    mem_printf(ctx,
		DID_SOMETHING OF_SCHEMA
		" AND w.checksum IS NOT NULL "
		"ORDER BY w.id COLLATE pg_catalog.\"C\", r.id DESC LIMIT %u",
		BOUND_HISTORY_ROWS));
}

/* ---- kept ---- */

struct journal_words {
	char **baselined; /* keys */
	size_t n_baselined;
	char **checksums; /* id, checksum, in the order of the ids' bytes */
	size_t n_checksums;
};

struct journal_words *
journal_words_new(const void *ctx)
{
	return mem_zero(ctx, struct journal_words);
}

/* All fields, row by row. */
static char **
read_fields(const void *ctx, const PGresult *result, size_t *n)
{
	size_t width = (size_t)PQnfields(result);
	char **fields;

	*n = (size_t)PQntuples(result) * width;
	fields = mem_array(ctx, char *, *n);
	for (size_t i = 0; i < *n; i++)
		fields[i] = mem_strdup(
		    fields, PQgetvalue(result, (int)(i / width), (int)(i % width)));
	return fields;
}

void
journal_read_baselined(struct journal_words *words, const PGresult *result)
{
	words->baselined = read_fields(words, result, &words->n_baselined);
}

void
journal_read_checksums(struct journal_words *words, const PGresult *result)
{
	words->checksums = read_fields(words, result, &words->n_checksums);
}

void
journal_tell(const struct journal_words *words, struct history *history)
{
	for (size_t i = 0; i < words->n_baselined; i++)
		history_mark_baseline(history, words->baselined[i]);
	for (size_t i = 0; i + 1 < words->n_checksums; i += 2)
		history_note_checksum(
		    history, words->checksums[i], words->checksums[i + 1]);
}
