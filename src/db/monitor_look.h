/* SPDX-License-Identifier: PostgreSQL */
#pragma once

/*
 * One look at a backend from another session: what is asked, and what the answer says.
 *
 * One query, of PostgreSQL 13 to 18, that no right beyond CONNECT is needed for: what
 * pg_stat_activity hides from the role is not known then, but a blocker's pid always is.
 * Each look is a transaction of its own by the simple protocol: an open one, or a portal
 * that keeps its snapshot, would be what CREATE INDEX CONCURRENTLY waits for.
 */

#include <stdbool.h>

#include <libpq-fe.h>

#include "core/run.h"

/* The query about that backend, for a server of that version (150020). Owned by ctx. */
const char *monitor_look_sql(const void *ctx, int server_version, int backend_pid);

/*
 * Its answer, into what struct run says of blockers, queue and progress (percent, rate
 * and time left are not measured here). All is forgotten where the backend is gone.
 */
void monitor_look_read(const PGresult *result, struct run *run);
