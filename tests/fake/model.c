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
	char key[64];
	char checksum[DIGEST_HEX];
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
};

static struct state kept; /* committed */
static struct state now;  /* as the open transaction sees it */
static size_t n_rows_before;
static struct fakepq_rule *rows_rule;
static struct fakepq_rule *statements_rule;
static struct fakepq_rule *witness_rule;
static struct fakepq_rule *index_rule;

/* ---- what is asked for ---- */

static void
answer(const char *witness)
{
	const char *rows[2 * MAX_ROWS] = { NULL };
	const char *statements[3 * MAX_ROWS] = { NULL };
	char numbers[MAX_ROWS][12];

	for (size_t i = 0; i < kept.n_rows; i++) {
		rows[2 * i] = kept.rows[i].key;
		rows[2 * i + 1] = kept.rows[i].checksum;
	}
	fakepq_forget(rows_rule);
	fakepq_rows(rows_rule, 2, (int)kept.n_rows, rows);
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

static void
add_row(const char *sent, bool drizzle)
{
	struct row *row = &now.rows[now.n_rows++];

	copy_param(row->key, sizeof(row->key), sent, drizzle ? 1 : 0);
	copy_param(row->checksum, sizeof(row->checksum), sent, drizzle ? 0 : 1);
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
	if (strstr(sent, "INDEX CONCURRENTLY"))
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
	else if (strncmp(sent, "INSERT INTO \"", 13) == 0 && !strstr(sent, "'failed'"))
		add_row(sent, strstr(sent, "\"hash\"") != NULL);
	else if (script_is_migration(sent))
		add_ran(sent);
}

static void
on_command(const char *sent, enum fakepq_effect effect)
{
	const char *witness = now.n_rows > kept.n_rows ? "aborted" : NULL;

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
	n_rows_before = 0;
	rows_rule = fakepq_on("SELECT created_at");
	statements_rule = fakepq_on("SELECT s.number");
	witness_rule = fakepq_on("txid_status");
	index_rule = fakepq_on("SELECT i.indisvalid");
	answer("in progress");
	fakepq_watch(on_command);
}

void
model_rows(const struct folder *folder, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		const struct migration *m = folder->migrations[i];
		struct row *row = &kept.rows[i];

		(void)snprintf(row->key, sizeof(row->key), "%s", m->version);
		(void)snprintf(row->checksum, sizeof(row->checksum), "%s", m->checksum);
	}
	kept.n_rows = n_rows_before = n;
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
	n_rows_before = kept.n_rows;
}

unsigned
model_n_rows_of(const char *key)
{
	unsigned n = 0;

	for (size_t i = 0; i < kept.n_rows; i++)
		n += strcmp(kept.rows[i].key, key) == 0;
	return n;
}

unsigned
model_n_new_rows(void)
{
	return (unsigned)(kept.n_rows - n_rows_before);
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
