/* SPDX-License-Identifier: PostgreSQL */
#pragma once

/*
 * What our sessions set, whatever database and role say: timeouts off,
 * synchronous_commit on (with it off, acknowledged commits are lost in a crash),
 * client_connection_check_interval and keepalives (so that a dead daemon's lock dies
 * within seconds), and safe string settings.
 */

#include "base/text.h"

/*
 * The SET statements for a server of that version (PG 14 knows
 * client_connection_check_interval), each with its semicolon. search_path is left as
 * the role has it: files are written against it.
 */
void session_add_settings(struct text *sql, int server_version);

/*
 * For a statement that is to run to its end whatever becomes of us: the server does not look
 * whether we are still there.
 */
void session_add_unwatched(struct text *sql, int server_version);

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
 * BEGIN when `begin`. Advisory locks stay (DISCARD ALL would drop them).
 */
void session_add_fresh_start(struct text *sql, int server_version, bool begin);
