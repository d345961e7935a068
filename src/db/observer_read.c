/* SPDX-License-Identifier: PostgreSQL */
#include "db/observer_internal.h"

/*
 * What the answers of a look mean; each gives the next question.
 */

#include <stdio.h>
#include <string.h>

#include "base/bounds.h"
#include "base/log.h"
#include "base/mem.h"

static enum look_stage
ask(struct observer *observer, enum look_stage stage, struct pgconn_statement question)
{
	observer->question = question;
	return stage;
}

enum look_stage
observer_begin(struct observer *observer)
{
	observer->journal_failed = false;
	return observer->engine.profile == NULL
	    ? ask(observer, LOOK_IDENTIFY, *engine_ask())
	    : ask(observer, LOOK_PROBE, *engine_query(&observer->engine));
}

/* The lock of the target, as a run would choose it. */
static enum look_stage
look_at_lock(struct observer *observer)
{
	struct tracking_table table =
	    connect_tracking_table(observer->params, PHASE_SCHEMA, &observer->engine);
	struct lock *lock = &observer->lock;

	lock_init(lock, observer->params->lock_mode, &observer->engine,
	    lock_key(observer->engine.database, table.schema, table.table),
	    observer->params->instance);
	return ask(observer, LOOK_HOLDER, lock->ops->holder(observer->look, lock));
}

/* The first phase from this one on that is configured; the lock when none is left. */
static enum look_stage
look_at_phase(struct observer *observer, unsigned phase)
{
	while (phase < PHASE_COUNT && !(observer->params->phases & PHASE_BIT(phase)))
		phase++;
	if (phase == PHASE_COUNT)
		return look_at_lock(observer);
	observer->phase = (enum phase)phase;
	observer->table =
	    connect_tracking_table(observer->params, observer->phase, &observer->engine);
	tracking_to_facts(&observer->table, false, &observer->seen.tracking[phase]);
	return ask(observer, LOOK_TABLE, tracking_look(observer->look, &observer->table));
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
	bool exists = observer->seen.tracking[observer->phase].exists;

	if (observer->phase != PHASE_SCHEMA || !observer->params->heed_others)
		return look_at_next_phase(observer);
	return ask(observer, LOOK_OTHERS,
	    tracking_elsewhere(observer->look, &observer->table, exists));
}

static enum look_stage
look_at_next_other(struct observer *observer)
{
	struct history *history = observer->seen.histories[observer->phase];

	if (tracking_elsewhere_ask(observer->others, observer->look, &observer->question))
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

/*
 * What is recorded, here or elsewhere, is not known: so it is not known what is pending. Without
 * the table of a phase beside it the schema is what it is all the same.
 */
static enum look_stage
leave_unknown(struct observer *observer, const struct err *err)
{
	struct observation *seen = &observer->seen;

	TALLOC_FREE(seen->histories[observer->phase]);
	if (observer->phase == PHASE_SCHEMA) {
		seen->database.err = *err;
	} else {
		seen->unread[observer->phase] = mem_zero(observer->look, struct err);
		*seen->unread[observer->phase] = *err;
	}
	return look_at_next_phase(observer);
}

/* The server may be fine all the same: it is our rights that end here. */
static enum look_stage
history_failed(struct observer *observer, const struct pgconn_reply *reply)
{
	struct err err = reply->err;

	tracking_hint_rights(&observer->table, &err);
	return leave_unknown(observer, &err);
}

/* An error may say no more than that the table is another's. */
static enum look_stage
read_others_rows(struct observer *observer, const struct pgconn_reply *reply)
{
	struct err err = { 0 };

	return tracking_elsewhere_rows(observer->others, reply, &err) < 0
	    ? leave_unknown(observer, &err)
	    : look_at_next_other(observer);
}

static enum look_stage
read_connect(struct observer *observer, const struct pgconn_reply *reply UNUSED)
{
	return observer_begin(observer);
}

static enum look_stage
read_identity(struct observer *observer, const struct pgconn_reply *reply)
{
	return engine_identify(&observer->engine, observer->params->engine,
		   observer->conn, reply->result, &observer->seen.database.err) < 0
	    ? LOOK_REPORT
	    : observer_begin(observer);
}

static enum look_stage
read_probe(struct observer *observer, const struct pgconn_reply *reply)
{
	struct observation *seen = &observer->seen;

	if (engine_read(&observer->engine, observer->conn, reply->result,
		&seen->database.err) < 0)
		return LOOK_REPORT;
	engine_to_facts(&observer->engine, &seen->database);
	return look_at_phase(observer, PHASE_SCHEMA);
}

static enum look_stage
read_table(struct observer *observer, const struct pgconn_reply *reply)
{
	struct observation *seen = &observer->seen;
	struct history **history = &seen->histories[observer->phase];
	struct tracking_look look;
	struct err err = { 0 };

	tracking_read_look(observer->look, reply->result, &look);
	tracking_settle(&observer->table, &look);
	seen->tracking[observer->phase].exists = look.table_exists;
	if (!look.table_exists) {
		*history = tracking_new_history(
		    observer->look, &observer->table, observer->asked_mono_us);
		return look_for_others(observer);
	}
	if (tracking_check(&observer->table, &look, &err) < 0)
		return leave_unknown(observer, &err);
	return ask(observer, LOOK_ROWS, tracking_read(observer->look, &observer->table));
}

static enum look_stage
read_rows(struct observer *observer, const struct pgconn_reply *reply)
{
	struct observation *seen = &observer->seen;
	struct err err = { 0 };

	if (tracking_read_history(observer->look, &observer->table, reply->result,
		observer->asked_mono_us, &seen->histories[observer->phase], &err) < 0)
		return leave_unknown(observer, &err);
	seen->histories[observer->phase]->table_exists = true;
	return seen->histories[observer->phase]->n_rows == 0
	    ? look_for_others(observer)
	    : look_at_next_phase(observer);
}

static enum look_stage
look_at_journal(struct observer *observer, const struct pgconn_reply *reply UNUSED)
{
	return observer->params->journal ? ask(observer, LOOK_JOURNAL, *journal_look())
					 : LOOK_REPORT;
}

static enum look_stage
read_holder(struct observer *observer, const struct pgconn_reply *reply)
{
	struct lock_facts *lock = &observer->seen.lock;

	observer->lock.ops->read_holder(
	    reply->result, lock->holder, sizeof(lock->holder));
	lock->held = lock->holder[0] != '\0';
	return look_at_journal(observer, reply);
}

static enum look_stage
read_journal(struct observer *observer, const struct pgconn_reply *reply)
{
	struct journal_look look = journal_read_look(reply->result);

	if (!look.exists)
		return LOOK_REPORT;
	/* the table of any phase says whose own it is */
	observer->owner = journal_owner_of(
	    observer->look, &look, observer->params->name, &observer->table);
	return ask(observer, LOOK_NEWS, journal_news(observer->look, &observer->owner));
}

/* All that there is to read of it was answered, or it has been said what was not. */
static enum look_stage
journal_over(struct observer *observer)
{
	observer->journal_fails = observer->journal_failed;
	return LOOK_REPORT;
}

/* Into the history of this look; then the runs, if they are others. */
static enum look_stage
tell(struct observer *observer, const struct journal_words *words)
{
	struct history *history = observer->seen.histories[PHASE_SCHEMA];

	if (history != NULL)
		journal_tell(words, history);
	if (observer->runs_of != NULL && strcmp(observer->runs_of, observer->news) == 0)
		return journal_over(observer);
	return ask(observer, LOOK_RUNS,
	    journal_recent(observer->look, &observer->owner, BOUND_RUNS_KEPT));
}

static enum look_stage
read_news(struct observer *observer, const struct pgconn_reply *reply)
{
	observer->news = mem_strdup(observer->look, PQgetvalue(reply->result, 0, 0));
	if (observer->words != NULL && strcmp(observer->words_of, observer->news) == 0)
		return tell(observer, observer->words);
	return ask(observer, LOOK_BASELINED,
	    journal_baselined(observer->look, &observer->owner));
}

static enum look_stage
keep_words(struct observer *observer)
{
	talloc_free(observer->words);
	observer->words = talloc_steal(observer, observer->fresh);
	observer->words_of = mem_strdup(observer->words, observer->news);
	return tell(observer, observer->words);
}

static enum look_stage
read_baselined(struct observer *observer, const struct pgconn_reply *reply)
{
	observer->fresh = journal_words_new(observer->look);
	journal_read_baselined(observer->fresh, reply->result);
	if (tracking_find(observer->params->tracking)->row.checksum != NULL)
		return keep_words(observer);
	return ask(observer, LOOK_CHECKSUMS,
	    journal_checksums(observer->look, &observer->owner));
}

static enum look_stage
read_checksums(struct observer *observer, const struct pgconn_reply *reply)
{
	journal_read_checksums(observer->fresh, reply->result);
	return keep_words(observer);
}

/* A row that no release has written, perhaps. Said once, until it can be read again. */
static enum look_stage
journal_failed(struct observer *observer, const struct pgconn_reply *reply)
{
	if (!observer->journal_fails)
		log_warning_with(&reply->err,
		    "the journal cannot be read: what was baselined, or has failed elsewhere, "
		    "is not known");
	observer->journal_fails = observer->journal_failed = true;
	return LOOK_REPORT;
}

/* What was read without them is told, but not kept. */
static enum look_stage
checksums_failed(struct observer *observer, const struct pgconn_reply *reply)
{
	(void)journal_failed(observer, reply);
	return tell(observer, observer->fresh);
}

static enum look_stage
read_runs(struct observer *observer, const struct pgconn_reply *reply)
{
	struct observation *seen = &observer->seen;
	int n = PQntuples(reply->result);

	seen->runs = mem_array(observer->look, struct run *, (size_t)n + 1);
	for (int i = 0; i < n; i++)
		seen->runs[seen->n_runs++] = journal_read_run(reply->result, i);
	talloc_free(observer->runs_of);
	observer->runs_of = mem_strdup(observer, observer->news);
	return journal_over(observer);
}

static enum look_stage
unreachable(struct observer *observer, const struct pgconn_reply *reply)
{
	observer->seen.database.err = reply->err;
	observer->seen.database.reachable = false;
	/* whether its table is there was not answered */
	observer->seen.tracking[observer->phase].kind = NULL;
	return LOOK_REPORT;
}

/* What an answer means; and an error in its place, over a connection that is still there. */
static const struct {
	enum look_stage (*read)(
	    struct observer *observer, const struct pgconn_reply *reply);
	enum look_stage (*failed)(
	    struct observer *observer, const struct pgconn_reply *reply);
} stages[LOOK_REPORT] = {
	[LOOK_CONNECT] = { read_connect, unreachable },
	[LOOK_IDENTIFY] = { read_identity, unreachable },
	[LOOK_PROBE] = { read_probe, unreachable },
	[LOOK_TABLE] = { read_table, history_failed },
	[LOOK_ROWS] = { read_rows, history_failed },
	[LOOK_OTHERS] = { read_others, history_failed },
	[LOOK_OTHERS_ROWS] = { read_others_rows, read_others_rows },
	[LOOK_HOLDER] = { read_holder, look_at_journal },
	[LOOK_JOURNAL] = { read_journal, journal_failed },
	[LOOK_NEWS] = { read_news, journal_failed },
	[LOOK_BASELINED] = { read_baselined, journal_failed },
	[LOOK_CHECKSUMS] = { read_checksums, checksums_failed },
	[LOOK_RUNS] = { read_runs, journal_failed },
};

enum look_stage
observer_read(struct observer *observer, const struct pgconn_reply *reply)
{
	if (reply->lost)
		return unreachable(observer, reply);
	if (!err_is_set(&reply->err))
		return stages[observer->stage].read(observer, reply);
	return stages[observer->stage].failed(observer, reply);
}
