/* SPDX-License-Identifier: PostgreSQL */
#include "db/observer_internal.h"

/*
 * What the answers of a look mean; each gives the next question.
 */

#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "base/mem.h"

struct lock
observer_lock(const struct observer *observer)
{
	struct tracking_table table =
	    connect_tracking_table(observer->params, PHASE_SCHEMA, &observer->engine);
	struct lock lock;

	lock_init(&lock, observer->params->lock_mode, &observer->engine,
	    lock_key(observer->engine.database, table.schema, table.table),
	    observer->params->instance);
	return lock;
}

/* The first phase from this one on that is configured; the lock when none is left. */
static enum look_stage
look_at_phase(struct observer *observer, unsigned phase)
{
	struct tracking_facts *tracking;

	while (phase < PHASE_COUNT && !(observer->params->phases & PHASE_BIT(phase)))
		phase++;
	if (phase == PHASE_COUNT)
		return LOOK_HOLDER;
	observer->phase = (enum phase)phase;
	observer->table =
	    connect_tracking_table(observer->params, observer->phase, &observer->engine);
	tracking = &observer->seen.tracking[phase];
	tracking->kind = observer->table.kind->name;
	snprintf(tracking->table, sizeof(tracking->table), "%s.%s",
	    observer->table.schema, observer->table.table);
	return LOOK_TABLE;
}

static enum look_stage
look_at_next_phase(struct observer *observer)
{
	return look_at_phase(observer, observer->phase + 1);
}

/* A table of the schema's own migrations without a row: they may be recorded elsewhere. */
static enum look_stage
look_for_others(struct observer *observer)
{
	return observer->phase == PHASE_SCHEMA && observer->params->heed_others
	    ? LOOK_OTHERS
	    : look_at_next_phase(observer);
}

static enum look_stage
look_at_next_other(struct observer *observer)
{
	struct history *history = observer->seen.histories[observer->phase];
	struct pgconn_statement statement;

	if (tracking_elsewhere_ask(observer->others, observer->look, &statement))
		return LOOK_OTHERS_ROWS;
	history->elsewhere = tracking_elsewhere_end(observer->others, history);
	return look_at_next_phase(observer);
}

static enum look_stage
read_others(struct observer *observer, const struct pgconn_reply *reply)
{
	observer->others =
	    tracking_elsewhere_new(observer->look, &observer->table, reply->result);
	return look_at_next_other(observer);
}

/* What is recorded elsewhere is not known: so it is not known what is pending. */
static enum look_stage
leave_unknown(struct observer *observer)
{
	TALLOC_FREE(observer->seen.histories[observer->phase]);
	return look_at_next_phase(observer);
}

/* An error may say no more than that the table is another's. */
static enum look_stage
read_others_rows(struct observer *observer, const struct pgconn_reply *reply)
{
	struct database_facts *facts = &observer->seen.database;

	return tracking_elsewhere_rows(observer->others, reply, &facts->err) < 0
	    ? leave_unknown(observer)
	    : look_at_next_other(observer);
}

static enum look_stage
read_identity(struct observer *observer, const struct pgconn_reply *reply)
{
	return engine_identify(&observer->engine, observer->params->engine,
		   observer->conn, reply->result, &observer->seen.database.err) < 0
	    ? LOOK_REPORT
	    : LOOK_PROBE;
}

static enum look_stage
read_probe(struct observer *observer, const struct pgconn_reply *reply)
{
	struct observation *seen = &observer->seen;

	if (engine_read(&observer->engine, observer->conn, reply->result,
		&seen->database.err) < 0)
		return LOOK_REPORT;
	engine_to_facts(&observer->engine, &seen->database);
	seen->database.reachable = true;
	seen->database.refreshed_at_us = clock_now_us();
	return look_at_phase(observer, PHASE_SCHEMA);
}

static enum look_stage
read_table(struct observer *observer, const struct pgconn_reply *reply)
{
	struct observation *seen = &observer->seen;
	struct history **history = &seen->histories[observer->phase];
	struct tracking_look look;

	tracking_read_look(observer->look, reply->result, &look);
	tracking_settle(&observer->table, &look);
	seen->tracking[observer->phase].exists = look.table_exists;
	if (!look.table_exists) {
		*history = tracking_new_history(
		    observer->look, &observer->table, clock_now_us());
		return look_for_others(observer);
	}
	if (tracking_check(&observer->table, &look, &seen->database.err) < 0)
		return look_at_next_phase(observer);
	return LOOK_ROWS;
}

static enum look_stage
read_rows(struct observer *observer, const struct pgconn_reply *reply)
{
	struct observation *seen = &observer->seen;

	if (tracking_read_history(observer->look, &observer->table, reply->result,
		clock_now_us(), &seen->histories[observer->phase],
		&seen->database.err) < 0)
		return look_at_next_phase(observer);
	seen->histories[observer->phase]->table_exists = true;
	return seen->histories[observer->phase]->n_rows == 0
	    ? look_for_others(observer)
	    : look_at_next_phase(observer);
}

static enum look_stage
read_holder(struct observer *observer, const struct pgconn_reply *reply)
{
	struct lock_facts *lock = &observer->seen.lock;

	observer_lock(observer).ops->read_holder(
	    reply->result, lock->holder, sizeof(lock->holder));
	lock->held = lock->holder[0] != '\0';
	return observer->params->journal ? LOOK_JOURNAL : LOOK_REPORT;
}

static enum look_stage
read_journal(struct observer *observer, const struct pgconn_reply *reply)
{
	observer->journal = journal_read_look(reply->result);
	return observer->journal.exists ? LOOK_NEWS : LOOK_REPORT;
}

/* Into the history of this look; then the runs, once. */
static enum look_stage
tell(struct observer *observer, const struct journal_words *words)
{
	struct history *history = observer->seen.histories[PHASE_SCHEMA];

	if (history != NULL)
		journal_tell(words, history);
	return observer->runs_read ? LOOK_REPORT : LOOK_RUNS;
}

static enum look_stage
read_news(struct observer *observer, const struct pgconn_reply *reply)
{
	const char *news = PQgetvalue(reply->result, 0, 0);

	if (observer->words != NULL && strcmp(observer->words_of, news) == 0)
		return tell(observer, observer->words);
	observer->fresh_of = mem_strdup(observer->look, news);
	return LOOK_BASELINED;
}

static enum look_stage
keep_words(struct observer *observer)
{
	talloc_free(observer->words);
	observer->words = talloc_steal(observer, observer->fresh);
	observer->words_of = mem_strdup(observer->words, observer->fresh_of);
	return tell(observer, observer->words);
}

static enum look_stage
read_baselined(struct observer *observer, const struct pgconn_reply *reply)
{
	observer->fresh = journal_words_new(observer->look);
	journal_read_baselined(observer->fresh, reply->result);
	return tracking_find(observer->params->tracking)->row.checksum != NULL
	    ? keep_words(observer)
	    : LOOK_CHECKSUMS;
}

static enum look_stage
read_checksums(struct observer *observer, const struct pgconn_reply *reply)
{
	journal_read_checksums(observer->fresh, reply->result);
	return keep_words(observer);
}

static enum look_stage
read_runs(struct observer *observer, const struct pgconn_reply *reply)
{
	struct observation *seen = &observer->seen;
	int n = PQntuples(reply->result);

	seen->runs = mem_array(observer->look, struct run *, (size_t)n + 1);
	for (int i = 0; i < n; i++)
		seen->runs[seen->n_runs++] = journal_read_run(reply->result, i);
	observer->runs_read = true;
	return LOOK_REPORT;
}

/* Which question comes next although this one had no answer; REPORT when none can. */
static enum look_stage
stage_without_answer(struct observer *observer)
{
	/* incomplete: they are not kept */
	if (observer->stage == LOOK_CHECKSUMS)
		(void)tell(observer, observer->fresh);
	if (observer->stage == LOOK_OTHERS)
		return leave_unknown(observer);
	if (observer->stage == LOOK_TABLE || observer->stage == LOOK_ROWS)
		return look_at_next_phase(observer);
	if (observer->stage == LOOK_HOLDER && observer->params->journal)
		return LOOK_JOURNAL;
	return LOOK_REPORT;
}

/*
 * A question failed. The server may be fine all the same: it is our rights that end
 * here.
 */
enum look_stage
observer_read_failure(struct observer *observer, const struct pgconn_reply *reply)
{
	struct database_facts *facts = &observer->seen.database;
	bool about_history = observer->stage <= LOOK_OTHERS_ROWS;

	if (observer->stage == LOOK_OTHERS_ROWS && !reply->lost)
		return read_others_rows(observer, reply);
	if (reply->lost || observer->stage <= LOOK_PROBE) {
		facts->err = reply->err;
		facts->reachable = false;
		return LOOK_REPORT;
	}
	if (about_history) {
		facts->err = reply->err;
		tracking_hint_rights(&observer->table, &facts->err);
	}
	return stage_without_answer(observer);
}

enum look_stage
observer_read_answer(struct observer *observer, const struct pgconn_reply *reply)
{
	switch (observer->stage) {
	case LOOK_CONNECT:
		return LOOK_IDENTIFY;
	case LOOK_IDENTIFY:
		return read_identity(observer, reply);
	case LOOK_PROBE:
		return read_probe(observer, reply);
	case LOOK_TABLE:
		return read_table(observer, reply);
	case LOOK_ROWS:
		return read_rows(observer, reply);
	case LOOK_OTHERS:
		return read_others(observer, reply);
	case LOOK_OTHERS_ROWS:
		return read_others_rows(observer, reply);
	case LOOK_HOLDER:
		return read_holder(observer, reply);
	case LOOK_JOURNAL:
		return read_journal(observer, reply);
	case LOOK_NEWS:
		return read_news(observer, reply);
	case LOOK_BASELINED:
		return read_baselined(observer, reply);
	case LOOK_CHECKSUMS:
		return read_checksums(observer, reply);
	case LOOK_RUNS:
		return read_runs(observer, reply);
	case LOOK_IDLE:
	case LOOK_REPORT:
		break;
	}
	return LOOK_REPORT;
}
