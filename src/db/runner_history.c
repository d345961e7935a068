/* SPDX-License-Identifier: PostgreSQL */
#include "db/runner_steps.h"

/*
 * What is applied already: the state HISTORY. Besides the rows of the tracking table it
 * reads, where a COMMIT's answer was lost, the server's word on it; and where more
 * than the pending ones matter, which of the rows our journal knows as a baseline's.
 */

#include <string.h>

#include "base/clock.h"
#include "base/mem.h"
#include "db/journal.h"

enum {
	HISTORY_ROWS,
	HISTORY_JOURNAL,
	HISTORY_BASELINED,
	HISTORY_CHECKSUMS,
	HISTORY_WITNESS
};

static enum run_state
history_enter(struct runner *runner)
{
	struct pgconn_statement statement =
	    tracking_read(runner->scratch, &runner->table);

	runner_send(runner, &statement);
	return RUN_HISTORY;
}

/* What became of the transaction: NULL when it is too long ago. */
static enum run_state
history_ask_witness(struct runner *runner)
{
	if (runner->doubt == NULL || runner->doubt->xid[0] == '\0')
		return RUN_PLAN;
	struct pgconn_statement ask = {
		.sql = "SELECT pg_catalog.txid_status($1::pg_catalog.int8)",
		.n_params = 1,
		.params = { runner->doubt->xid },
	};

	runner->stage = HISTORY_WITNESS;
	runner_send(runner, &ask);
	return RUN_HISTORY;
}

/* Without it the rows tell: another server never heard of the number. */
static enum run_state
history_witness(struct runner *runner, const struct pgconn_reply *reply)
{
	const char *status =
	    err_is_set(&reply->err) ? "" : PQgetvalue(reply->result, 0, 0);

	runner->doubt->committed = strcmp(status, "committed") == 0;
	runner->doubt->aborted = strcmp(status, "aborted") == 0;
	return RUN_PLAN;
}

/* Where the rows keep no checksums our journal may know them. */
static bool
wants_checksums(const struct runner *runner)
{
	return runner->run->phase == PHASE_SCHEMA &&
	    runner->table.kind->row.checksum == NULL;
}

static enum run_state
history_ask_checksums(struct runner *runner)
{
	if (!wants_checksums(runner))
		return history_ask_witness(runner);
	struct journal_owner owner = runner_journal_owner(runner);
	struct pgconn_statement ask = journal_checksums(runner->scratch, &owner);

	runner->stage = HISTORY_CHECKSUMS;
	runner_send(runner, &ask);
	return RUN_HISTORY;
}

static enum run_state
history_rows(struct runner *runner, const struct pgconn_reply *reply)
{
	struct err err = reply->err;

	if (err_is_set(&err) ||
	    tracking_read_history(runner, &runner->table, reply->result, clock_mono_us(),
		&runner->history, &err) < 0) {
		tracking_hint_rights(&runner->table, &err);
		return runner_fail(runner, &err);
	}
	runner->history->table_exists = true;
	runner->history->elsewhere = talloc_steal(runner->history, runner->elsewhere);
	runner->elsewhere = NULL;
	runner->seen.histories[runner->run->phase] = runner->history;
	tracking_to_facts(
	    &runner->table, true, &runner->seen.tracking[runner->run->phase]);
	if (!runner->params->journal ||
	    (run_goes_forward(runner->run) && !wants_checksums(runner)))
		return history_ask_witness(runner);
	runner->stage = HISTORY_JOURNAL;
	runner_send(runner, journal_look());
	return RUN_HISTORY;
}

/* What the journal would say is not worth the run: it is asked if it can be. */
static enum run_state
history_journal(struct runner *runner, const struct pgconn_reply *reply)
{
	if (err_is_set(&reply->err))
		return history_ask_witness(runner);
	runner->journal = journal_read_look(reply->result);
	if (!runner->journal.exists)
		return history_ask_witness(runner);
	/* where more than the pending ones matter, so does how they were recorded */
	if (run_goes_forward(runner->run))
		return history_ask_checksums(runner);
	struct journal_owner owner = runner_journal_owner(runner);
	struct pgconn_statement ask = journal_baselined(runner->scratch, &owner);

	runner->stage = HISTORY_BASELINED;
	runner_send(runner, &ask);
	return RUN_HISTORY;
}

/* But what was never run must not be undone. */
static enum run_state
history_baselined(struct runner *runner, const struct pgconn_reply *reply)
{
	struct journal_words *words = journal_words_new(runner->scratch);
	struct err err = reply->err;

	if (err_is_set(&err)) {
		err_wrap(&err, "the journal cannot be read, which knows the baselines");
		return runner_fail(runner, &err);
	}
	journal_read_baselined(words, reply->result);
	journal_tell(words, runner->history);
	return history_ask_checksums(runner);
}

static enum run_state
history_checksums(struct runner *runner, const struct pgconn_reply *reply)
{
	struct journal_words *words = journal_words_new(runner->scratch);

	if (!err_is_set(&reply->err)) {
		journal_read_checksums(words, reply->result);
		journal_tell(words, runner->history);
	}
	return history_ask_witness(runner);
}

static enum run_state
history_answer(struct runner *runner, const struct pgconn_reply *reply)
{
	if (reply->lost)
		return runner_fail(runner, &reply->err);
	switch (runner->stage) {
	case HISTORY_ROWS:
		return history_rows(runner, reply);
	case HISTORY_JOURNAL:
		return history_journal(runner, reply);
	case HISTORY_BASELINED:
		return history_baselined(runner, reply);
	case HISTORY_CHECKSUMS:
		return history_checksums(runner, reply);
	default:
		return history_witness(runner, reply);
	}
}

const struct runner_step runner_step_history = { history_enter, history_answer, NULL };
