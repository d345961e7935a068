/* SPDX-License-Identifier: PostgreSQL */
#include "script.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/macros.h"
#include "base/mem.h"
#include "core/layout.h"

#define FIRST_WHEN 1700000000000

/* ---- the folder ---- */

struct target_params
script_params(void)
{
	return (struct target_params){
		.name = "default",
		.phases = PHASE_BIT(PHASE_SCHEMA),
		.database_url = "host=/run dbname=app",
		.tracking = "drizzle",
		.instance = "one",
		.journal = true,
		.connect_timeout_ms = 5000,
		.lock_wait_ms = 5000,
	};
}

struct folder *
script_folder(const char *layout)
{
	struct folder *folder = mem_zero(NULL, struct folder);

	folder->refs = 1;
	folder->layout = layout_find(layout);
	return folder;
}

struct migration *
script_add(struct folder *folder, const char *id, const char *text)
{
	struct migration *m = mem_zero(folder, struct migration);
	bool drizzle = strcmp(folder->layout->name, "drizzle") == 0;
	size_t n = folder->n_migrations++;

	m->id = mem_strdup(folder, id);
	m->order = strtoll(id, NULL, 10) + (drizzle ? FIRST_WHEN : 0);
	m->version = drizzle ? mem_printf(folder, "%" PRId64, m->order)
			     : mem_strndup(folder, id, strcspn(id, "_"));
	m->name = mem_strdup(folder, strchr(id, '_') + 1);
	m->file = mem_printf(folder, "%s.sql", id);
	m->position = n;
	migration_set_text(
	    m, folder, text, strlen(text), drizzle ? "--> statement-breakpoint" : NULL);
	folder->migrations =
	    mem_grow(folder, folder->migrations, struct migration *, n + 1);
	folder->migrations[n] = m;
	return m;
}

void
script_migrations(struct folder *folder)
{
	struct fakepq_rule *insert = NULL;

	script_add(folder, "0001_one", "CREATE one;\n");
	script_add(folder, "0002_two",
	    "CREATE two;\n--> statement-breakpoint\nINSERT two;\nSELECT two;\n");
	script_tag("CREATE one", "CREATE TABLE");
	script_tag("CREATE two", "CREATE TABLE");
	insert = fakepq_on("INSERT two");
	fakepq_tag(insert, "INSERT 0 2");
	fakepq_rows(insert, 1, 2, (const char *const[]){ "1", "2" });
}

/* ---- the server ---- */

void
script_tag(const char *pattern, const char *tag)
{
	fakepq_tag(fakepq_on(pattern), tag);
}

void
script_error(const char *pattern, const char *sqlstate, const char *message)
{
	fakepq_error(fakepq_on(pattern), sqlstate, message, 0);
}

void
script_lose(const char *pattern)
{
	fakepq_lose(fakepq_on(pattern));
}

static void
answer(const char *pattern, const char *value)
{
	fakepq_rows(fakepq_on(pattern), 1, 1, (const char *const[]){ value });
}

void
script_table(const char *columns)
{
	const char *there = columns ? "t" : "f";

	fakepq_rows(fakepq_on("a.attname"), 4, 1,
	    (const char *const[]){ there, there, columns, "f" });
}

void
script_rows(const struct folder *folder, size_t n)
{
	const char *values[16];

	for (size_t i = 0; i < n; i++) {
		values[2 * i] = folder->migrations[i]->version;
		values[2 * i + 1] = folder->migrations[i]->checksum;
	}
	fakepq_rows(fakepq_on("SELECT created_at"), 2, (int)n, values);
}

void
script_journal(bool exists, bool may_create)
{
	fakepq_rows(fakepq_on("has_table_privilege"), 5, 1,
	    (const char *const[]){ exists ? "t" : "f", may_create ? "t" : "f", "f",
		exists ? "t" : "f", "f" });
}

void
script_news(const char *news)
{
	answer("string_agg(n.id", news);
}

void
script_older_journal(bool may_widen)
{
	fakepq_rows(fakepq_on("has_table_privilege"), 5, 1,
	    (const char *const[]){ "t", "f", "t", "f", may_widen ? "t" : "f" });
	script_tag("ADD COLUMN IF NOT EXISTS tracking", "ALTER TABLE");
}

void
script_engine(const char *version, bool has_jobs)
{
	fakepq_rows(fakepq_on("SELECT pg_catalog.version()"), 2, 1,
	    (const char *const[]){ version, has_jobs ? "t" : "f" });
}

void
script_others(const char *version)
{
	static const char *const table[] = { "other", "schema_migrations",
		"version,dirty" };

	fakepq_rows(fakepq_on("$5::pg_catalog.bool"), 3, 1, table);
	fakepq_rows(fakepq_on("\"other\"."), 2, version ? 1 : 0,
	    (const char *const[]){ version, "f" });
}

void
script_statements(bool exists, bool may_create)
{
	fakepq_rows(fakepq_on("'statements'"), 3, 1,
	    (const char *const[]){ exists ? "t" : "f", may_create ? "t" : "f", "f" });
}

void
script_index(const char *valid)
{
	fakepq_rows(fakepq_on("SELECT i.indisvalid"), 3, valid ? 1 : 0,
	    (const char *const[]){ valid, "public", "i" });
}

void
script_lock_held(bool for_ever)
{
	static const char *const holder[] = { "4712", "migrationd two", "192.0.2.9",
		"2026-01-02T03:04:05Z" };
	struct fakepq_rule *try = for_ever ? fakepq_on("pg_try_advisory_lock")
					   : fakepq_once("pg_try_advisory_lock");

	fakepq_rows(try, 1, 1, (const char *const[]){ "f" });
	fakepq_rows(fakepq_on("pg_locks"), 4, 1, holder);
}

void
script_server(void)
{
	/* the newest rule wins: what stands in more texts comes first */
	script_tag("CREATE SCHEMA IF NOT EXISTS \"drizzle\"", "CREATE TABLE");
	script_tag("CREATE TABLE IF NOT EXISTS \"public\"", "CREATE TABLE");
	script_tag("CREATE TABLE IF NOT EXISTS migrationd.runs", "CREATE TABLE");
	script_tag("RESET ALL", "BEGIN");
	script_tag("BEGIN;SET LOCAL", "BEGIN");
	script_tag("INSERT INTO ", "INSERT 0 1");
	script_engine("PostgreSQL 15.2 on x86_64-pc-linux-gnu", false);
	fakepq_rows(fakepq_on("server_version_num"), 10, 1,
	    (const char *const[]){ "150020", "15.2", "4711", "app", "public", "f", "off",
		NULL, NULL, NULL });
	script_tag("=BEGIN;", "BEGIN");
	answer("pg_try_advisory_lock", "t");
	fakepq_rows(fakepq_on("pg_try_advisory_xact_lock"), 2, 1,
	    (const char *const[]){ "t", "4242" });
	answer("pg_advisory_unlock", "t");
	script_tag("INSERT INTO migrationd.locks", "INSERT 0 2");
	answer("SELECT EXISTS (SELECT 1 FROM migrationd.locks", "t");
	fakepq_rows(fakepq_on("'locks'"), 3, 1, (const char *const[]){ "f", "t", "f" });
	script_tag("CREATE TABLE IF NOT EXISTS migrationd.locks", "CREATE TABLE");
	answer("SET token = ''", "t");
	fakepq_rows(fakepq_on("FOR UPDATE)"), 2, 1, (const char *const[]){ "t", "4242" });
	fakepq_rows(fakepq_on("pg_locks"), 4, 0, NULL);
	script_tag("DELETE FROM \"", "DELETE 1");
	script_table("id,hash,created_at");
	fakepq_rows(fakepq_on("'batches'"), 3, 1, (const char *const[]){ "t", "t", "t" });
	fakepq_rows(fakepq_on("SELECT b.batches"), 4, 0, NULL);
	answer("SELECT 30", "30");
	answer("c.reltuples", "100");
	script_tag("INSERT INTO migrationd.batches", "INSERT 0 1");
	script_tag("DELETE FROM migrationd.batches", "DELETE 1");
	fakepq_rows(fakepq_on("pg_stat_replication"), 4, 1,
	    (const char *const[]){ "0", "0", "f", "f" });
	fakepq_rows(fakepq_on("SELECT id, description"), 5, 0, NULL);
	fakepq_rows(fakepq_on("SELECT id, checksum"), 3, 0, NULL);
	fakepq_rows(fakepq_on("SELECT created_at"), 2, 0, NULL);
	fakepq_rows(fakepq_on("SELECT name, hash"), 4, 0, NULL);
	answer("IN ACCESS EXCLUSIVE MODE", "t");
	fakepq_rows(fakepq_on("SELECT DISTINCT s.version"), 1, 0, NULL);
	fakepq_rows(fakepq_on("SELECT version, name"), 3, 0, NULL);
	fakepq_rows(fakepq_on("SELECT description"), 4, 0, NULL);
	script_journal(true, true);
	script_statements(true, true);
	script_tag("CREATE TABLE IF NOT EXISTS migrationd.statements", "CREATE TABLE");
	script_tag("UPDATE migrationd.statements", "UPDATE 1");
	script_tag("DELETE FROM migrationd.statements", "DELETE 1");
	fakepq_rows(fakepq_on("SELECT s.number"), 3, 0, NULL);
	answer("txid_status", NULL);
	script_news("one");
	fakepq_rows(fakepq_on("jsonb_to_recordset"), 1, 0, NULL);
	fakepq_rows(fakepq_on("jsonb_array_elements"), 27, 0, NULL);
}

/* ---- what was said ---- */

#define NUMBER 2 /* the third parameter of what is said of one statement */
#define KEY    9 /* the last parameter of the kind's INSERT */

static const struct {
	const char *pattern; /* the first that the command contains */
	const char *word;
	int with; /* what stands behind the word; 0: nothing */
} words[] = {
	{ "$5::pg_catalog.bool", "others?", 0 }, /* which has ours in it */
	{ "\"other\".", "theirs", 0 },
	/* these two hold texts of errors, which may say anything */
	{ "INSERT INTO migrationd.runs", "journal", 0 },
	{ "'failed'", "failure", KEY },
	{ "SELECT pg_catalog.version()", "", 0 },
	{ "server_version_num", "probe", 0 },
	{ "pg_try_advisory_xact_lock", "relock", 0 },
	{ "pg_try_advisory_lock", "lock", 0 },
	{ "pg_locks", "holder", 0 },
	{ "pg_advisory_unlock", "unlock", 0 },
	{ "INSERT INTO migrationd.locks", "lock+", 0 },
	{ "'locks'", "lock?", 0 },
	{ "CREATE TABLE IF NOT EXISTS migrationd.locks", "locks+", 0 },
	{ "SELECT EXISTS (SELECT 1 FROM migrationd.locks", "lock", 0 },
	{ "SELECT l.holder", "holder", 0 },
	{ "SET token = ''", "unlock", 0 },
	{ "FOR UPDATE)", "relock", 0 },
	{ "a.attname", "look", 0 },
	{ "migrationd.runs (id pg_catalog.uuid", "journal+", 0 },
	{ "ADD COLUMN IF NOT EXISTS tracking", "widen", 0 },
	{ "CREATE TABLE IF NOT EXISTS migrationd.statements", "statements+", 0 },
	{ "CREATE TABLE IF NOT EXISTS migrationd.batches", "batches+", 0 },
	{ "CREATE TABLE IF NOT EXISTS", "create", 0 },
	{ "SELECT created_at", "rows", 0 },
	{ "SELECT name, hash", "rows", 0 },
	{ "IN ACCESS EXCLUSIVE MODE", "upgrade", 0 },
	{ "SELECT DISTINCT s.version", "begun?", 0 },
	{ "SELECT version, name", "rows", 0 },
	{ "SELECT description", "rows", 0 },
	{ "SELECT id, description", "rows", 0 },
	{ "SELECT id, checksum", "rows", 0 },
	{ "'batches'", "batches?", 0 },
	{ "SELECT b.batches", "resume", 0 },
	{ "SELECT 30", "count", 0 },
	{ "c.reltuples", "bound", 0 },
	{ "INSERT INTO migrationd.batches", "mark", 0 },
	{ "DELETE FROM migrationd.batches", "forget", 0 },
	{ "pg_stat_replication", "load", 0 },
	{ "BEGIN;RESET", "begin", 0 },
	{ "BEGIN ISOLATION LEVEL READ COMMITTED;RESET", "begin", 0 },
	{ "SET SESSION statement_timeout", "session", 0 },
	{ "RESET ALL", "again", 0 },
	{ "has_table_privilege", "journal?", 0 },
	{ "string_agg(n.id", "news?", 0 },
	{ "w.checksum", "checksums", 0 },
	{ "jsonb_to_recordset", "baselined", 0 },
	{ "jsonb_array_elements", "runs", 0 },
	{ "'statements'", "statements?", 0 },
	{ "SELECT s.number", "resume", 0 },
	{ "$4, $5::pg_catalog.uuid, NULL", "note", NUMBER },
	{ "INSERT INTO migrationd.statements", "mark", 0 },
	{ "$3::pg_catalog.int4", "noted", NUMBER },
	{ "UPDATE migrationd.statements", "answered", 0 },
	{ "s.finished_at IS NULL", "withdraw", 0 },
	{ "DELETE FROM migrationd.statements", "forget", 0 },
	{ "SELECT i.indisvalid", "index?", 0 },
	{ "CREATE SCHEMA IF NOT EXISTS migrationd", "schema+", 0 },
	{ "SELECT j.status", "job?", 0 },
	{ "SELECT j.job_id", "jobs?", 0 },
	{ "SELECT EXISTS (SELECT 1 FROM pg_catalog.pg_", "there?", 0 },
	{ "txid_status", "witness", 0 },
	{ "INSERT INTO \"", "record", KEY },
	{ "DELETE FROM \"", "unrecord", KEY },
	{ "UPDATE \"", "bless", KEY },
};

/* Drizzle's key is the second parameter, the others' the first. */
static const char *
key_of(const char *sent)
{
	const char *drizzle = strstr(sent, "|17000");

	return (drizzle ? drizzle : strchr(sent, '|')) + 1;
}

static void
add(char *buf, size_t size, const char *before, const char *text, size_t len,
    const char *behind)
{
	size_t used = strlen(buf);

	(void)snprintf(buf + used, size - used, "%s%s%.*s%s", used ? " " : "", before,
	    (int)len, text, behind);
}

/* A command as it is, on one line. */
static void
add_text(char *buf, size_t size, const char *sent)
{
	char line[256] = "";
	size_t n = 0;

	for (; *sent && n + 1 < sizeof(line); sent++)
		if (strchr(" \n", *sent) == NULL)
			line[n++] = *sent;
		else if (n > 0 && line[n - 1] != ' ')
			line[n++] = ' ';
	while (n > 0 && line[n - 1] == ' ')
		n--;
	add(buf, size, "<", line, n, ">");
}

static size_t
find_word(const char *sent)
{
	size_t i = 0;

	while (i < ARRAY_SIZE(words) && !strstr(sent, words[i].pattern))
		i++;
	return i;
}

/* Where a session cannot be reset, nothing goes with it. */
static bool
is_begin(const char *sent)
{
	return strcmp(sent, "BEGIN;") == 0;
}

static bool
is_end(const char *sent)
{
	return strcmp(sent, "COMMIT") == 0 || strcmp(sent, "ROLLBACK") == 0;
}

static void
add_word(char *buf, size_t size, const char *sent)
{
	size_t i = find_word(sent);
	const char *value = NULL;

	if (is_end(sent)) {
		add(buf, size, "", sent, strlen(sent), "");
		return;
	}
	if (is_begin(sent)) {
		add(buf, size, "", "begin", 5, "");
		return;
	}
	if (i == ARRAY_SIZE(words)) {
		add_text(buf, size, sent);
		return;
	}
	if (words[i].word[0] == '\0') /* it begins every connection */
		return;
	add(buf, size, "", words[i].word, strlen(words[i].word), "");
	if (words[i].with == 0)
		return;
	if (words[i].with == KEY) {
		value = key_of(sent);
	} else {
		value = sent;
		for (int n = 0; n <= NUMBER; n++)
			value = strchr(value, '|') + 1;
	}
	buf += strlen(buf);
	(void)snprintf(buf, SCRIPT_WORDS / 8, "(%.*s)", (int)strcspn(value, "|"), value);
}

bool
script_is_migration(const char *sent)
{
	return !is_end(sent) && !is_begin(sent) && find_word(sent) == ARRAY_SIZE(words);
}

void
script_sent(char *buf, size_t size)
{
	*buf = '\0';
	for (size_t i = 0; i < fakepq_n_sent(); i++)
		if (strlen(buf) + SCRIPT_WORDS / 4 < size)
			add_word(buf, size, fakepq_sent(i));
}
