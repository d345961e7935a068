/* SPDX-License-Identifier: PostgreSQL */
#pragma once

/*
 * Directives: what a file says about how it is to be run, in its comments, for what
 * detection cannot know.
 *
 *	-- migrationd: no-transaction
 *	-- migrationd: transaction
 *	-- migrationd: lock-timeout=10s
 *	-- migrationd: statement-timeout=5min
 *	-- migrationd: out-of-order
 *	-- migrationd: batch size=1000 pause=50ms
 *	-- migrationd: batch-count SELECT count(*) FROM users WHERE nick IS NULL
 *	-- migrationd: unchecked
 *
 * Also as other tools write them, honoured alike: sqlx "-- no-transaction" (first
 * line), goose "-- +goose NO TRANSACTION", dbmate "-- migrate:up
 * transaction:false", tern "---- tern: disable-tx ----", graphile "--!
 * no-transaction". They stand before the first statement; an unknown one is an
 * error, since a typo must not run for real, and so is one behind it.
 *
 * Files of goose, dbmate and tern may hold the way back, too ("-- +goose Down", "--
 * migrate:down", "---- create above / drop below ----"). It would be run behind the way
 * forward, so they are refused.
 */

#include <stdint.h>

#include "base/err.h"

enum directive_transaction {
	DIRECTIVE_AUTO,
	DIRECTIVE_TRANSACTION,
	DIRECTIVE_NO_TRANSACTION
};

struct directives {
	enum directive_transaction transaction;
	int64_t lock_timeout_ms;      /* -1: not said */
	int64_t statement_timeout_ms; /* -1: not said */
	bool unchecked;      /* what the engine is known to refuse may be tried */
	bool out_of_order;   /* may run although it is older than the newest applied */
	bool batch;          /* repeated until it touches no row: core/batch.h */
	unsigned batch_size; /* 0: not said */
	int64_t batch_pause_ms;
	const char *batch_count; /* the query, into the text; NULL: not said */
	size_t batch_count_len;
};

/*
 * Read them from the comments before the first statement. SQL_SYNTAX_ERROR with the
 * line for an unknown, malformed or misplaced one, and for the way back.
 */
int directive_read(
    const char *text, size_t len, struct directives *out, struct err *err) MUST_CHECK;
