/* SPDX-License-Identifier: PostgreSQL */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/digest.h"
#include "fakepq.h"
#include "model.h"
#include "script.h"

#define MAX_ROWS 64
#define MAX_SQL  96

struct row {
	char table[32]; /* without its schema */
	char key[64];
	char checksum[DIGEST_HEX];
	bool failed;
	bool fresh; /* of this run */
};

struct statement {
	unsigned number;
	char digest[DIGEST_HEX];
	bool finished;
};

struct ran {
	char text[MAX_SQL];
	unsigned n;
};

/* All of it, so that a transaction that is undone is a copy. */
struct state {
	struct row rows[MAX_ROWS];
	size_t n_rows;
	struct statement statements[MAX_ROWS];
	size_t n_statements;
	struct ran ran[MAX_ROWS];
	size_t n_ran;
	bool index;
	/* the journal of batches, and rows that are left for them */
	unsigned n_batches;
	unsigned n_left;
};

static struct state kept;   /* committed */
static struct state now;    /* as the open transaction sees it */
static size_t n_rows_known; /* rows of earlier runs */
static struct fakepq_rule *rows_rule;
static struct fakepq_rule *statements_rule;
static struct fakepq_rule *witness_rule;
static struct fakepq_rule *index_rule;
static struct fakepq_rule *data_rule;
static struct fakepq_rule *reruns_rule;
static struct fakepq_rule *batches_rule;
static struct fakepq_rule *batch_rule;

/* ---- what is asked for ---- */

/* Data migrations, and what runs again. */
static void
answer_behind(void)
{
	const char *data[5 * MAX_ROWS] = { NULL };
	const char *reruns[3 * MAX_ROWS] = { NULL };
	int n_data = 0, n_reruns = 0;

	for (size_t i = 0; i < kept.n_rows; i++) {
		const struct row *row = &kept.rows[i];

		if (strcmp(row->table, "data_migrations") == 0) {
			data[5 * n_data] = row->key;
			data[5 * n_data + 2] = row->failed ? "f" : "t";
			data[5 * n_data++ + 3] = row->failed ? "it failed" : NULL;
		} else if (strcmp(row->table, "seeds") == 0) {
			reruns[3 * n_reruns] = row->key;
			reruns[3 * n_reruns + 1] = row->checksum;
			reruns[3 * n_reruns++ + 2] = "1";
		}
	}
	fakepq_forget(data_rule);
	fakepq_rows(data_rule, 5, n_data, data);
	fakepq_forget(reruns_rule);
	fakepq_rows(reruns_rule, 3, n_reruns, reruns);
}

/* How far the batches are, and what the next one will find. */
static void
answer_batches(void)
{
	char n[12], rows[12];
	static char tag[32];

	(void)snprintf(n, sizeof(n), "%u", kept.n_batches);
	(void)snprintf(rows, sizeof(rows), "%u", 10 * kept.n_batches);
	fakepq_forget(batches_rule);
	fakepq_rows(batches_rule, 4, kept.n_batches > 0,
	    (const char *const[]){ n, rows, "30", "100" });
	(void)snprintf(tag, sizeof(tag), "UPDATE %u", kept.n_left > 0 ? 10 : 0);
	fakepq_forget(batch_rule);
	fakepq_tag(batch_rule, tag);
}

static void
answer(const char *witness)
{
	const char *rows[2 * MAX_ROWS] = { NULL };
	int n_rows = 0;
	const char *statements[3 * MAX_ROWS] = { NULL };
	char numbers[MAX_ROWS][12];

	for (size_t i = 0; i < kept.n_rows; i++) {
		if (strcmp(kept.rows[i].table, "__drizzle_migrations") != 0)
			continue;
		rows[2 * n_rows] = kept.rows[i].key;
		rows[2 * n_rows++ + 1] = kept.rows[i].checksum;
	}
	fakepq_forget(rows_rule);
	fakepq_rows(rows_rule, 2, n_rows, rows);
	answer_behind();
	answer_batches();
	for (size_t i = 0; i < kept.n_statements; i++) {
		const struct statement *st = &kept.statements[i];

		(void)snprintf(numbers[i], sizeof(numbers[i]), "%u", st->number);
		statements[3 * i] = numbers[i];
		statements[3 * i + 1] = st->digest;
		statements[3 * i + 2] = st->finished ? "t" : "f";
	}
	fakepq_forget(statements_rule);
	fakepq_rows(statements_rule, 3, (int)kept.n_statements, statements);
	fakepq_forget(index_rule);
	fakepq_rows(index_rule, 3, kept.index ? 1 : 0,
	    (const char *const[]){ "t", "public", "i" });
	if (!witness)
		return;
	fakepq_forget(witness_rule);
	fakepq_rows(witness_rule, 1, 1, &witness);
}

/* ---- what is done ---- */

/* The parameter with that index, from 0, which are behind the text. */
static void
copy_param(char *buf, size_t size, const char *sent, unsigned index)
{
	const char *at = strchr(sent, '|');

	for (; at && index > 0; index--)
		at = strchr(at + 1, '|');
	(void)snprintf(
	    buf, size, "%.*s", at ? (int)strcspn(at + 1, "|") : 0, at ? at + 1 : "");
}

/* What runs again has a row already, and so has a data migration that failed. */
static void
add_row(const char *sent, bool drizzle)
{
	struct row row = { 0 };
	const char *table = strstr(sent, "\".\"") + 3;
	char third[8];
	size_t i = 0;

	(void)snprintf(
	    row.table, sizeof(row.table), "%.*s", (int)strcspn(table, "\""), table);
	copy_param(row.key, sizeof(row.key), sent, drizzle ? 1 : 0);
	copy_param(row.checksum, sizeof(row.checksum), sent, drizzle ? 0 : 1);
	row.fresh = true;
	copy_param(third, sizeof(third), sent, 2);
	row.failed =
	    strcmp(row.table, "data_migrations") == 0 && strcmp(third, "NULL") != 0;
	while (i < now.n_rows &&
	    (strstr(sent, "ON CONFLICT") == NULL ||
		strcmp(now.rows[i].table, row.table) != 0 ||
		strcmp(now.rows[i].key, row.key) != 0))
		i++;
	now.rows[i] = row;
	now.n_rows += i == now.n_rows;
}

static void
delete_row(const char *sent)
{
	char key[64];
	size_t n = 0;

	copy_param(key, sizeof(key), sent, 1);
	for (size_t i = 0; i < now.n_rows; i++)
		if (strcmp(now.rows[i].key, key) != 0)
			now.rows[n++] = now.rows[i];
	now.n_rows = n;
}

static void
put_statement(unsigned number, const char *digest, bool finished)
{
	struct statement *st = now.statements;

	while (st < now.statements + now.n_statements && st->number != number)
		st++;
	if (st == now.statements + now.n_statements)
		now.n_statements++;
	st->number = number;
	(void)snprintf(st->digest, sizeof(st->digest), "%s", digest);
	st->finished = finished;
}

static void
insert_statements(const char *sent)
{
	char number[16];
	char digest[DIGEST_HEX];

	/* one that runs alone is all parameters; those of a segment are in the text */
	if (strstr(sent, "$4")) {
		copy_param(number, sizeof(number), sent, 2);
		copy_param(digest, sizeof(digest), sent, 3);
		put_statement((unsigned)strtoul(number, NULL, 10), digest, false);
		return;
	}
	for (const char *at = strstr(sent, "($1, $2, "); at;
	     at = strstr(at + 1, "($1, $2, ")) {
		unsigned n = (unsigned)strtoul(at + strlen("($1, $2, "), NULL, 10);

		(void)snprintf(digest, sizeof(digest), "%s", strchr(at, '\'') + 1);
		put_statement(n, digest, true);
	}
}

static void
delete_statements(bool begun_only)
{
	size_t n = 0;

	for (size_t i = 0; i < now.n_statements; i++)
		if (begun_only && now.statements[i].finished)
			now.statements[n++] = now.statements[i];
	now.n_statements = n;
}

static void
finish_statements(const char *sent)
{
	char number[16];

	copy_param(number, sizeof(number), sent, 2);
	for (size_t i = 0; i < now.n_statements; i++)
		if (!*number ||
		    now.statements[i].number == (unsigned)strtoul(number, NULL, 10))
			now.statements[i].finished = true;
}

static struct ran *
find_ran(struct state *state, const char *text, size_t len)
{
	for (size_t i = 0; i < state->n_ran; i++)
		if (strlen(state->ran[i].text) == len &&
		    memcmp(state->ran[i].text, text, len) == 0)
			return &state->ran[i];
	return NULL;
}

static void
add_ran(const char *sent)
{
	struct ran *ran = find_ran(&now, sent, strlen(sent));

	if (!ran) {
		ran = &now.ran[now.n_ran++];
		(void)snprintf(ran->text, sizeof(ran->text), "%s", sent);
	}
	ran->n++;
	if (strstr(sent, "INDEX CONCURRENTLY") || strstr(sent, "INDEX ASYNC"))
		now.index = *sent == 'C';
}

static void
apply(const char *sent)
{
	if (strstr(sent, "INSERT INTO migrationd.statements"))
		insert_statements(sent);
	else if (strstr(sent, "DELETE FROM migrationd.statements"))
		delete_statements(strstr(sent, "finished_at IS NULL") != NULL);
	else if (strstr(sent, "UPDATE migrationd.statements"))
		finish_statements(sent);
	else if (strstr(sent, "INSERT INTO migrationd.batches"))
		now.n_batches++;
	else if (strstr(sent, "DELETE FROM migrationd.batches"))
		now.n_batches = 0;
	else if (strstr(sent, "UPDATE many"))
		now.n_left -= now.n_left > 0;
	else if (strncmp(sent, "INSERT INTO \"", 13) == 0 && !strstr(sent, "'failed'"))
		add_row(sent, strstr(sent, "\"hash\"") != NULL);
	else if (strncmp(sent, "DELETE FROM \"", 13) == 0)
		delete_row(sent);
	else if (script_is_migration(sent))
		add_ran(sent);
}

static void
on_command(const char *sent, enum fakepq_effect effect)
{
	const char *witness = now.n_rows != kept.n_rows ? "aborted" : NULL;

	switch (effect) {
	case FAKEPQ_FAILED:
	case FAKEPQ_GONE:
		now = kept;
		break;
	case FAKEPQ_INSIDE:
		apply(sent);
		return;
	case FAKEPQ_OUTSIDE:
		now = kept;
		apply(sent);
		kept = now;
		break;
	case FAKEPQ_COMMITTED:
		kept = now;
		witness = "committed";
		break;
	}
	answer(witness);
}

/* ---- for the test ---- */

void
model_begin(void)
{
	kept = now = (struct state){ 0 };
	n_rows_known = 0;
	rows_rule = fakepq_on("SELECT created_at");
	statements_rule = fakepq_on("SELECT s.number");
	witness_rule = fakepq_on("txid_status");
	index_rule = fakepq_on("SELECT i.indisvalid");
	data_rule = fakepq_on("SELECT id, description");
	reruns_rule = fakepq_on("SELECT id, checksum");
	batches_rule = fakepq_on("SELECT b.batches");
	batch_rule = fakepq_on("UPDATE many");
	answer("in progress");
	fakepq_watch(on_command);
}

void
model_rows(const struct folder *folder, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		const struct migration *m = folder->migrations[i];
		struct row *row = &kept.rows[i];

		(void)snprintf(row->table, sizeof(row->table), "__drizzle_migrations");
		(void)snprintf(row->key, sizeof(row->key), "%s", m->version);
		(void)snprintf(row->checksum, sizeof(row->checksum), "%s", m->checksum);
	}
	kept.n_rows = n;
	n_rows_known = kept.n_rows;
	now = kept;
	answer(NULL);
}

void
model_statement(unsigned number, const char *text, bool finished)
{
	char digest[DIGEST_HEX];

	digest_sha256_hex(text, strlen(text), digest);
	put_statement(number, digest, finished);
	kept = now;
	answer(NULL);
}

void
model_index(void)
{
	kept.index = now.index = true;
	answer(NULL);
}

void
model_next_run(void)
{
	n_rows_known = kept.n_rows;
	for (size_t i = 0; i < kept.n_rows; i++)
		kept.rows[i].fresh = false;
	now = kept;
}

unsigned
model_n_rows_of(const char *key)
{
	unsigned n = 0;

	for (size_t i = 0; i < kept.n_rows; i++)
		n += strcmp(kept.rows[i].key, key) == 0 && !kept.rows[i].failed;
	return n;
}

unsigned
model_n_new_rows(void)
{
	unsigned n = 0;

	for (size_t i = 0; i < kept.n_rows; i++)
		n += kept.rows[i].fresh && !kept.rows[i].failed;
	return n;
}

void
model_row(const char *table, const char *key, const char *checksum)
{
	struct row *row = &kept.rows[kept.n_rows++];

	(void)snprintf(row->table, sizeof(row->table), "%s", table);
	(void)snprintf(row->key, sizeof(row->key), "%s", key);
	(void)snprintf(row->checksum, sizeof(row->checksum), "%s", checksum);
	now = kept;
	answer(NULL);
}

void
model_batches(unsigned n)
{
	kept.n_left = now.n_left = n;
	answer(NULL);
}

unsigned
model_n_left(void)
{
	return kept.n_left;
}

unsigned
model_n_lost_rows(void)
{
	return (unsigned)(n_rows_known - (kept.n_rows - model_n_new_rows()));
}

unsigned
model_n_ran(const char *text, size_t len)
{
	const struct ran *ran = find_ran(&kept, text, len);

	return ran ? ran->n : 0;
}

const char *
model_ran_twice(void)
{
	for (size_t i = 0; i < kept.n_ran; i++)
		if (kept.ran[i].n > 1 && strncmp(kept.ran[i].text, "VACUUM", 6) != 0)
			return kept.ran[i].text;
	return NULL;
}

void
model_journal(char *buf, size_t size)
{
	size_t used = 0;

	*buf = '\0';
	for (size_t i = 0; i < kept.n_statements; i++, used = strlen(buf))
		(void)snprintf(buf + used, size - used, "%s%u %s", used ? ", " : "",
		    kept.statements[i].number,
		    kept.statements[i].finished ? "done" : "begun");
}
