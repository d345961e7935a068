/* SPDX-License-Identifier: PostgreSQL */
#include "db/monitor_look.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/bounds.h"
#include "base/macros.h"
#include "base/secret.h"
#include "base/text.h"
#include "core/run_wait.h"

enum column {
	COLUMN_WAIT_EVENT,
	COLUMN_QUEUED,
	COLUMN_COMMAND,
	COLUMN_PHASE,
	COLUMN_SESSIONS_DONE, /* then its total; and so for each unit */
	COLUMN_BLOCKS_DONE = COLUMN_SESSIONS_DONE + 2,
	COLUMN_TUPLES_DONE = COLUMN_BLOCKS_DONE + 2,
	COLUMN_BYTES_DONE = COLUMN_TUPLES_DONE + 2,
	COLUMN_PID = COLUMN_BYTES_DONE + 2,
	COLUMN_APPLICATION,
	COLUMN_USER,
	COLUMN_STATE,
	COLUMN_QUERY,
	COLUMN_AGE_US,
	COLUMN_COUNT
};

/* ---- the question ---- */

#define EQ "OPERATOR(pg_catalog.=) "

/*
 * The server's reports of progress (PostgreSQL 18 docs section 27.4), in the columns
 * that all of them share: pid, command, phase, then done and total of sessions, blocks,
 * tuples, bytes. A total that does not belong to the phase is left out.
 */
static const struct {
	int since; /* server version */
	const char *sql;
} reports[] = {
	{ 90600,
	    "SELECT v.pid, 'VACUUM', v.phase, 0, 0, "
	    "CASE WHEN v.phase " EQ "'vacuuming heap' "
	    "THEN v.heap_blks_vacuumed ELSE v.heap_blks_scanned END, "
	    "CASE WHEN v.phase " EQ "ANY ('{scanning heap,vacuuming heap}') "
	    "THEN v.heap_blks_total END, 0, 0, 0::pg_catalog.int8, 0::pg_catalog.int8 "
	    "FROM pg_catalog.pg_stat_progress_vacuum AS v" },
	{ 120000,
	    " UNION ALL SELECT i.pid, i.command, i.phase, "
	    "i.lockers_done, i.lockers_total, i.blocks_done, "
	    /* the blocks of the scan stay while its rows are sorted */
	    "CASE WHEN pg_catalog.strpos(i.phase, 'sorting') " EQ "0 "
	    "THEN i.blocks_total END, i.tuples_done, i.tuples_total, 0, 0 "
	    "FROM pg_catalog.pg_stat_progress_create_index AS i" },
	{ 120000,
	    " UNION ALL SELECT c.pid, c.command, c.phase, 0, 0, c.heap_blks_scanned, "
	    "CASE WHEN c.phase " EQ "'seq scanning heap' "
	    "THEN c.heap_blks_total END, 0, 0, 0, 0 "
	    "FROM pg_catalog.pg_stat_progress_cluster AS c" },
	{ 130000,
	    " UNION ALL SELECT n.pid, 'ANALYZE', n.phase, 0, 0, n.sample_blks_scanned, "
	    "CASE WHEN n.phase " EQ "'acquiring sample rows' "
	    "THEN n.sample_blks_total END, 0, 0, 0, 0 "
	    "FROM pg_catalog.pg_stat_progress_analyze AS n" },
	{ 140000,
	    " UNION ALL SELECT y.pid, y.command, '', 0, 0, 0, 0, 0, 0, "
	    "y.bytes_processed, y.bytes_total "
	    "FROM pg_catalog.pg_stat_progress_copy AS y" },
};

/*
 * Who waits is read from pg_locks, which shows everybody's: wait_event of another
 * role's session may be hidden. At most 200 of them are looked at, for
 * pg_blocking_pids stops the lock manager each time.
 */
static const char look_head[] =
    "SELECT a.wait_event_type OPERATOR(pg_catalog.||) ':' "
    "OPERATOR(pg_catalog.||) a.wait_event, "
    "(SELECT pg_catalog.count(*) FROM (SELECT DISTINCT l.pid "
    "FROM pg_catalog.pg_locks AS l WHERE NOT l.granted LIMIT 200) AS w "
    "WHERE a.pid " EQ "ANY (pg_catalog.pg_blocking_pids(w.pid))), "
    "p.command, p.phase, p.sessions_done, p.sessions_total, p.blocks_done, "
    "p.blocks_total, p.tuples_done, p.tuples_total, p.bytes_done, p.bytes_total, "
    "b.pid, s.application_name, s.usename, s.state, "
    /* hidden, it reads "<insufficient privilege>" */
    "CASE WHEN s.state IS NOT NULL THEN pg_catalog.regexp_replace("
    "pg_catalog.\"left\"(s.query, 120), '\\s+', ' ', 'g') END, "
    "(pg_catalog.date_part('epoch', pg_catalog.clock_timestamp() "
    "OPERATOR(pg_catalog.-) COALESCE(s.xact_start, s.query_start)) "
    "OPERATOR(pg_catalog.*) 1000000)::pg_catalog.int8 "
    "FROM pg_catalog.pg_stat_activity AS a LEFT JOIN (";

/* Our own look holds a snapshot for a moment: that is no blocker to be told of. */
static const char look_tail[] =
    ") AS p (pid, command, phase, sessions_done, sessions_total, blocks_done, "
    "blocks_total, tuples_done, tuples_total, bytes_done, bytes_total) "
    "ON p.pid " EQ "a.pid "
    "LEFT JOIN LATERAL (SELECT DISTINCT u.pid "
    "FROM pg_catalog.unnest(pg_catalog.pg_blocking_pids(a.pid)) AS u (pid) "
    "WHERE u.pid OPERATOR(pg_catalog.<>) pg_catalog.pg_backend_pid()) AS b ON true "
    "LEFT JOIN pg_catalog.pg_stat_activity AS s ON s.pid " EQ "b.pid "
    "WHERE a.pid " EQ "%d "
    "ORDER BY COALESCE(s.xact_start, s.query_start) NULLS LAST, b.pid LIMIT %d";

const char *
monitor_look_sql(const void *ctx, int server_version, int backend_pid)
{
	struct text sql;

	text_init(&sql, ctx, BOUND_SQL);
	text_add(&sql, look_head);
	for (size_t i = 0; i < ARRAY_SIZE(reports); i++)
		if (server_version >= reports[i].since)
			text_add(&sql, reports[i].sql);
	text_addf(&sql, look_tail, backend_pid, RUN_BLOCKERS);
	return sql.data;
}

/* ---- the answer ---- */

static const char *
value(const PGresult *result, int row, enum column column)
{
	return PQgetvalue(result, row, (int)column); /* "" for NULL */
}

/* Copy, cut on the border of a character. */
static void
copy(char *buf, size_t size, const char *text)
{
	size_t len = strlen(text);

	if (len >= size) {
		len = size - 1;
		while (len > 0 && ((unsigned char)text[len] & 0xC0) == 0x80)
			len--;
	}
	memcpy(buf, text, len);
	buf[len] = '\0';
}

static uint64_t
count(const PGresult *result, enum column column)
{
	/* a server's counter can be below 0 for a moment, when it is reset */
	long long n = strtoll(value(result, 0, column), NULL, 10);

	return n > 0 ? (uint64_t)n : 0;
}

static void
read_progress(const PGresult *result, struct run *run)
{
	/* the first whose total is known: sessions are waited for while the counts of
	   the phase before still stand */
	static const struct {
		const char *name;
		enum column done;
	} units[] = {
		{ "sessions", COLUMN_SESSIONS_DONE },
		{ "blocks", COLUMN_BLOCKS_DONE },
		{ "tuples", COLUMN_TUPLES_DONE },
		{ "bytes", COLUMN_BYTES_DONE },
	};
	struct run_progress *progress = &run->progress;

	*progress = (struct run_progress){
		.percent = -1, .rate_per_second = -1, .eta_seconds = -1
	};
	run->has_progress = !PQgetisnull(result, 0, COLUMN_COMMAND);
	copy(progress->command, sizeof(progress->command),
	    value(result, 0, COLUMN_COMMAND));
	copy(progress->phase, sizeof(progress->phase), value(result, 0, COLUMN_PHASE));
	for (size_t i = 0; i < ARRAY_SIZE(units) && progress->total == 0; i++) {
		progress->total = count(result, units[i].done + 1);
		if (progress->total == 0)
			continue;
		progress->done = count(result, units[i].done);
		copy(progress->unit, sizeof(progress->unit), units[i].name);
	}
}

static void
read_blocker(const PGresult *result, int row, struct run_blocker *blocker)
{
	blocker->pid = (int)strtol(value(result, row, COLUMN_PID), NULL, 10);
	copy(blocker->application, sizeof(blocker->application),
	    value(result, row, COLUMN_APPLICATION));
	copy(blocker->user, sizeof(blocker->user), value(result, row, COLUMN_USER));
	copy(blocker->state, sizeof(blocker->state), value(result, row, COLUMN_STATE));
	copy(blocker->query, sizeof(blocker->query), value(result, row, COLUMN_QUERY));
	secret_cover_sql(blocker->query);
	blocker->age_us = PQgetisnull(result, row, COLUMN_AGE_US)
	    ? -1
	    : strtoll(value(result, row, COLUMN_AGE_US), NULL, 10);
}

void
monitor_look_read(const PGresult *result, struct run *run)
{
	int n = PQntuples(result);

	run_wait_clear(run);
	if (n < 1 || PQnfields(result) != COLUMN_COUNT)
		return;
	copy(run->wait_event, sizeof(run->wait_event),
	    value(result, 0, COLUMN_WAIT_EVENT));
	run->n_queued = (unsigned)count(result, COLUMN_QUEUED);
	read_progress(result, run);
	for (int i = 0; i < n && i < RUN_BLOCKERS; i++)
		if (!PQgetisnull(result, i, COLUMN_PID))
			read_blocker(result, i, &run->blockers[run->n_blockers++]);
}
