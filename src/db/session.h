/* SPDX-License-Identifier: PostgreSQL */
#pragma once

/*
 * What our sessions set, whatever database and role say: timeouts off,
 * synchronous_commit on (with it off, acknowledged commits are lost in a crash),
 * client_connection_check_interval and keepalives (so that a dead daemon's lock dies
 * within seconds), and safe string settings.
 */

#include "base/text.h"
#include "db/engine.h"

/*
 * The SET statements for a server of that engine and version (PG 14 knows
 * client_connection_check_interval), each with its semicolon; where it takes none of them,
 * nothing. search_path is left as the role has it: files are written against it.
 */
void session_add_settings(struct text *sql, const struct engine *engine);

/*
 * For a statement that is to run to its end whatever becomes of us: the server does not look
 * whether we are still there.
 */
void session_add_unwatched(struct text *sql, const struct engine *engine);

/*
 * What a migration behind a pooler starts with: BEGIN when `begin`, what others left in
 * the session undone, and settings of the transaction only, for the session is not ours.
 * A transaction that is left open is ended by the server after a minute, so that its
 * fence (db/lease.h) does not stand for ever.
 */
void session_add_pooled_start(struct text *sql, bool begin);

/*
 * And what it ends with, inside the transaction: what the file SET for the session is
 * not left to the next client.
 */
void session_add_pooled_end(struct text *sql);

/*
 * The string that starts a migration on a session that an earlier file may have
 * changed: RESET SESSION AUTHORIZATION, RESET ROLE, RESET ALL, the settings again, then
 * BEGIN when `begin`. Advisory locks stay (DISCARD ALL would drop them). Where a session
 * cannot be reset, the runner takes a new one instead.
 */
void session_add_fresh_start(struct text *sql, const struct engine *engine, bool begin);
