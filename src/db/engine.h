/* SPDX-License-Identifier: PostgreSQL */
#pragma once

/*
 * What server is this? One query after connecting (state PROBE), one row to read.
 */

#include "core/status.h"
#include "db/pgconn.h"

struct engine {
	char name[32]; /* "postgresql" */
	int version;   /* 150020 */
	char version_text[64];
	char database[64];
	char current_schema[64]; /* "" when the search_path names none that exists */
	bool in_recovery;
	bool read_only; /* transactions start read only */
	bool pooled;    /* the process that answers is not the one that greeted us */
	/*
	 * Timeouts that server, database or role would set, and our sessions do not keep:
	 * "lock_timeout = 5000ms, statement_timeout = 60000ms"; "" when there are none.
	 */
	char inherited[192];
};

/* The query. Static. */
const struct pgconn_statement *engine_query(void);

/* Read its answer. INTERNAL when it is not what was asked. */
int engine_read(struct engine *engine, const struct pgconn *conn, const PGresult *result,
    struct err *err) MUST_CHECK;

/*
 * Refuse to write where it cannot work: a standby, a read-only server (NETWORK_ERROR,
 * 25006).
 */
int engine_check_writable(const struct engine *engine, struct err *err) MUST_CHECK;

/* Copy into the facts that /status shows. */
void engine_to_facts(const struct engine *engine, struct database_facts *facts);
