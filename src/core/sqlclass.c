/* SPDX-License-Identifier: PostgreSQL */
#include "core/sqlclass.h"

#include <string.h>

#include "base/macros.h"
#include "core/sqlscan.h"

/* ---- what a file does to the transaction ---- */

static enum sqlclass_kind
class_begin(struct sqlwords *words UNUSED, struct sqlclass *out UNUSED)
{
	return SQLCLASS_BEGIN;
}

static enum sqlclass_kind
class_start(struct sqlwords *words, struct sqlclass *out UNUSED)
{
	return sqlwords_accept(words, "transaction") ? SQLCLASS_BEGIN : SQLCLASS_PLAIN;
}

/* Behind COMMIT or ROLLBACK: whether a new transaction begins at once. */
static bool
accept_chain(struct sqlwords *words)
{
	return sqlwords_accept_two(words, "and", "chain");
}

static bool
skip_work(struct sqlwords *words)
{
	return sqlwords_accept(words, "work") || sqlwords_accept(words, "transaction");
}

static enum sqlclass_kind
class_commit(struct sqlwords *words, struct sqlclass *out UNUSED)
{
	if (sqlwords_accept(words, "prepared"))
		return SQLCLASS_TWO_PHASE;
	skip_work(words);
	return accept_chain(words) ? SQLCLASS_TWO_PHASE : SQLCLASS_COMMIT;
}

static enum sqlclass_kind
class_rollback(struct sqlwords *words, struct sqlclass *out UNUSED)
{
	if (sqlwords_accept(words, "prepared"))
		return SQLCLASS_TWO_PHASE;
	skip_work(words);
	if (sqlwords_accept(words, "to"))
		return SQLCLASS_PLAIN;
	return accept_chain(words) ? SQLCLASS_TWO_PHASE : SQLCLASS_ROLLBACK;
}

/*
 * PREPARE TRANSACTION 'id', not a prepared statement of that name
 * ("transaction AS", "transaction (int) AS").
 */
static enum sqlclass_kind
class_prepare(struct sqlwords *words, struct sqlclass *out UNUSED)
{
	return sqlwords_accept(words, "transaction") && words->now.kind == SQLTOKEN_STRING
	    ? SQLCLASS_TWO_PHASE
	    : SQLCLASS_PLAIN;
}

/* ---- what the server refuses inside a transaction block ---- */

/* What they create, drop or change is not in the reach of a transaction. */
static const char *const beyond[] = { "database", "tablespace", "subscription" };

/* [[IF NOT EXISTS] name] ON [ONLY] table, behind CREATE [UNIQUE] INDEX CONCURRENTLY */
static void
read_index(struct sqlwords *words, struct sqlclass *out)
{
	char unused[SQLWORDS_NAME];

	out->if_not_exists = sqlwords_accept_three(words, "if", "not", "exists");
	if (!sqlwords_accept(words, "on") &&
	    !(sqlwords_accept_name(words, unused, out->name) &&
		sqlwords_accept(words, "on"))) {
		out->name[0] = '\0';
		return;
	}
	sqlwords_accept(words, "only");
	sqlwords_accept_name(words, out->schema, out->table);
}

static enum sqlclass_kind
class_create(struct sqlwords *words, struct sqlclass *out)
{
	if (sqlwords_accept_one_of(words, beyond, ARRAY_SIZE(beyond)))
		return SQLCLASS_ALONE;
	sqlwords_accept(words, "unique");
	if (!sqlwords_accept_two(words, "index", "concurrently"))
		return SQLCLASS_PLAIN;
	read_index(words, out);
	return SQLCLASS_CREATE_INDEX_CONCURRENTLY;
}

static enum sqlclass_kind
class_drop(struct sqlwords *words, struct sqlclass *out)
{
	if (sqlwords_accept_one_of(words, beyond, ARRAY_SIZE(beyond)))
		return SQLCLASS_ALONE;
	if (!sqlwords_accept_two(words, "index", "concurrently"))
		return SQLCLASS_PLAIN;
	sqlwords_accept_two(words, "if", "exists");
	sqlwords_accept_name(words, out->schema, out->name);
	return SQLCLASS_DROP_INDEX_CONCURRENTLY;
}

/* ALTER TABLE [IF EXISTS] [ONLY] t [*] DETACH PARTITION p CONCURRENTLY | FINALIZE */
static enum sqlclass_kind
class_alter_table(struct sqlwords *words, struct sqlclass *out)
{
	char unused[SQLWORDS_NAME];

	sqlwords_accept_two(words, "if", "exists");
	sqlwords_accept(words, "only");
	if (!sqlwords_accept_name(words, unused, out->table))
		return SQLCLASS_PLAIN;
	if (sqltoken_is_char(&words->now, '*'))
		sqlwords_advance(words);
	if (sqlwords_accept_two(words, "detach", "partition") &&
	    sqlwords_accept_name(words, out->schema, out->name) &&
	    (sqlwords_accept(words, "concurrently") ||
		sqlwords_accept(words, "finalize")))
		return SQLCLASS_DETACH_CONCURRENTLY;
	*out = (struct sqlclass){ 0 };
	return SQLCLASS_PLAIN;
}

static enum sqlclass_kind
class_alter_type(struct sqlwords *words, struct sqlclass *out)
{
	out->adds_enum_value = sqlwords_accept_name(words, out->schema, out->name) &&
	    sqlwords_accept_two(words, "add", "value");
	if (!out->adds_enum_value)
		*out = (struct sqlclass){ 0 };
	else
		out->if_not_exists = sqlwords_accept_three(words, "if", "not", "exists");
	return SQLCLASS_PLAIN;
}

static enum sqlclass_kind
class_alter(struct sqlwords *words, struct sqlclass *out)
{
	char unused[2][SQLWORDS_NAME];

	if (sqlwords_accept(words, "system") || sqlwords_accept(words, "subscription"))
		return SQLCLASS_ALONE;
	if (sqlwords_accept(words, "table"))
		return class_alter_table(words, out);
	if (sqlwords_accept(words, "type"))
		return class_alter_type(words, out);
	return sqlwords_accept(words, "database") &&
		sqlwords_accept_name(words, unused[0], unused[1]) &&
		sqlwords_accept_two(words, "set", "tablespace")
	    ? SQLCLASS_ALONE
	    : SQLCLASS_PLAIN;
}

/* "(VERBOSE, CONCURRENTLY)": whether CONCURRENTLY is in it and not switched off. */
static bool
skip_options(struct sqlwords *words)
{
	static const char *const off[] = { "false", "off" };
	bool found = false;

	if (words->now.kind != SQLTOKEN_OPEN_PAREN)
		return false;
	while (!sqlwords_is_end(words) && words->now.kind != SQLTOKEN_CLOSE_PAREN) {
		if (!sqlwords_accept(words, "concurrently"))
			sqlwords_advance(words);
		else
			found = !sqlwords_accept_one_of(words, off, ARRAY_SIZE(off)) &&
			    !sqltoken_is_char(&words->now, '0');
	}
	sqlwords_advance(words);
	return found;
}

static enum sqlclass_kind
class_reindex(struct sqlwords *words, struct sqlclass *out)
{
	static const char *const many[] = { "schema", "database", "system" };
	bool concurrently = skip_options(words);
	bool index = false;

	if (sqlwords_accept_one_of(words, many, ARRAY_SIZE(many)))
		return SQLCLASS_REINDEX_CONCURRENTLY;
	index = sqlwords_accept(words, "index");
	if (!index && !sqlwords_accept(words, "table"))
		return SQLCLASS_PLAIN;
	concurrently = sqlwords_accept(words, "concurrently") || concurrently;
	if (!concurrently)
		return SQLCLASS_PLAIN;
	sqlwords_accept_name(words, out->schema, index ? out->name : out->table);
	return SQLCLASS_REINDEX_CONCURRENTLY;
}

static enum sqlclass_kind
class_vacuum(struct sqlwords *words UNUSED, struct sqlclass *out UNUSED)
{
	return SQLCLASS_VACUUM;
}

static enum sqlclass_kind
class_cluster(struct sqlwords *words, struct sqlclass *out UNUSED)
{
	sqlwords_accept(words, "verbose");
	skip_options(words);
	return sqlwords_is_end(words) ? SQLCLASS_VACUUM : SQLCLASS_PLAIN;
}

static enum sqlclass_kind
class_discard(struct sqlwords *words, struct sqlclass *out UNUSED)
{
	return sqlwords_accept(words, "all") ? SQLCLASS_ALONE : SQLCLASS_PLAIN;
}

/* ---- what outlives the transaction in the session ---- */

static enum sqlclass_kind
class_set(struct sqlwords *words, struct sqlclass *out)
{
	static const char *const passing[] = { "local", "transaction", "constraints" };

	out->sets_session = !sqlwords_accept_one_of(words, passing, ARRAY_SIZE(passing));
	return SQLCLASS_PLAIN;
}

static enum sqlclass_kind
class_reset(struct sqlwords *words UNUSED, struct sqlclass *out)
{
	out->sets_session = true;
	return SQLCLASS_PLAIN;
}

/* SELECT pg_catalog.set_config('search_path', '', false), as pg_dump writes it */
static enum sqlclass_kind
class_select(struct sqlwords *words, struct sqlclass *out)
{
	if (sqlwords_accept(words, "pg_catalog") && sqltoken_is_char(&words->now, '.'))
		sqlwords_advance(words);
	out->sets_session = sqlwords_accept(words, "set_config");
	for (; !sqlwords_is_end(words); sqlwords_advance(words)) {
		if (sqltoken_is(&words->now, "true"))
			out->sets_session = false;
	}
	return SQLCLASS_PLAIN;
}

/* ---- DO ---- */

/* What a string token holds between its quotes. */
static struct sqltoken_reader
inside_of(const struct sqltoken *string)
{
	const char *quote = memchr(string->text, '\'', string->len);
	size_t before, after = 1;

	if (string->text[0] == '$') {
		quote = memchr(string->text + 1, '$', string->len - 1);
		after = (size_t)(quote + 1 - string->text);
	}
	before = (size_t)(quote + 1 - string->text);
	return (struct sqltoken_reader){
		.text = string->text + before,
		.len = string->len - before - after,
	};
}

/* Whether a statement of PL/pgSQL begins behind the token. */
static bool
opens_statement(const struct sqltoken *token)
{
	static const char *const words[] = { "begin", "then", "else", "loop" };

	for (size_t i = 0; i < ARRAY_SIZE(words); i++) {
		if (sqltoken_is(token, words[i]))
			return true;
	}
	return token->kind == SQLTOKEN_SEMICOLON;
}

/*
 * COMMIT and ROLLBACK at the start of a statement of PL/pgSQL. A variable of that
 * name would be followed by an assignment.
 */
static bool
body_commits(struct sqlwords body)
{
	bool at_start = false;

	for (sqlwords_advance(&body); body.now.kind != SQLTOKEN_END;) {
		if (at_start &&
		    (sqlwords_accept(&body, "commit") ||
			sqlwords_accept(&body, "rollback")) &&
		    (sqlwords_is_end(&body) || sqltoken_is(&body.now, "and")))
			return true;
		at_start = opens_statement(&body.now);
		sqlwords_advance(&body);
	}
	return false;
}

static enum sqlclass_kind
class_do(struct sqlwords *words, struct sqlclass *out UNUSED)
{
	for (; !sqlwords_is_end(words); sqlwords_advance(words)) {
		const struct sqltoken *now = &words->now;

		/* the name of a language may be a string, too */
		if (sqltoken_is(now, "language"))
			sqlwords_advance(words);
		else if (now->kind == SQLTOKEN_STRING && !now->open)
			return body_commits((struct sqlwords){ .reader = inside_of(now) })
			    ? SQLCLASS_DO_COMMIT
			    : SQLCLASS_PLAIN;
	}
	return SQLCLASS_PLAIN;
}

/* ---- all ---- */

static const struct {
	const char *word;
	enum sqlclass_kind (*class)(struct sqlwords *words, struct sqlclass *out);
} firsts[] = {
	{ "abort", class_rollback },
	{ "alter", class_alter },
	{ "begin", class_begin },
	{ "cluster", class_cluster },
	{ "commit", class_commit },
	{ "create", class_create },
	{ "discard", class_discard },
	{ "do", class_do },
	{ "drop", class_drop },
	{ "end", class_commit },
	{ "prepare", class_prepare },
	{ "reindex", class_reindex },
	{ "reset", class_reset },
	{ "rollback", class_rollback },
	{ "select", class_select },
	{ "set", class_set },
	{ "start", class_start },
	{ "vacuum", class_vacuum },
};

void
sqlclass_of(const char *text, size_t len, struct sqlclass *out)
{
	struct sqlwords words = { .reader = { .text = text, .len = len } };

	*out = (struct sqlclass){ .kind = SQLCLASS_PLAIN };
	sqlwords_advance(&words);
	if (words.now.len > 0 && words.now.text[0] == '\\')
		out->kind = SQLCLASS_META;
	else if (sqlscan_is_copy_stdin(text, len))
		out->kind = SQLCLASS_COPY_STDIN;
	for (size_t i = 0; i < ARRAY_SIZE(firsts); i++) {
		if (sqlwords_accept(&words, firsts[i].word)) {
			out->kind = firsts[i].class(&words, out);
			break;
		}
	}
}

void
sqlclass_of_index(const char *text, size_t len, bool async, struct sqlclass *out)
{
	struct sqlwords words = { .reader = { .text = text, .len = len } };

	sqlwords_advance(&words);
	if (!sqlwords_accept(&words, "create"))
		return;
	sqlwords_accept(&words, "unique");
	if (!sqlwords_accept(&words, "index"))
		return;
	if (async)
		sqlwords_accept(&words, "async");
	*out = (struct sqlclass){ .kind = SQLCLASS_CREATE_INDEX_ONLINE };
	read_index(&words, out);
}

bool
sqlclass_is_alone(enum sqlclass_kind kind)
{
	return kind >= SQLCLASS_CREATE_INDEX_CONCURRENTLY && kind <= SQLCLASS_ALONE;
}

const char *
sqlclass_name(enum sqlclass_kind kind)
{
	static const char *const names[] = {
		[SQLCLASS_PLAIN] = "a statement",
		[SQLCLASS_BEGIN] = "BEGIN",
		[SQLCLASS_COMMIT] = "COMMIT",
		[SQLCLASS_ROLLBACK] = "ROLLBACK",
		[SQLCLASS_TWO_PHASE] = "PREPARE TRANSACTION",
		[SQLCLASS_CREATE_INDEX_CONCURRENTLY] = "CREATE INDEX CONCURRENTLY",
		[SQLCLASS_DROP_INDEX_CONCURRENTLY] = "DROP INDEX CONCURRENTLY",
		[SQLCLASS_REINDEX_CONCURRENTLY] = "REINDEX",
		[SQLCLASS_DETACH_CONCURRENTLY] = "DETACH PARTITION",
		[SQLCLASS_VACUUM] = "VACUUM",
		[SQLCLASS_DO_COMMIT] = "DO with a COMMIT",
		[SQLCLASS_CREATE_INDEX_ONLINE] = "CREATE INDEX",
		[SQLCLASS_DDL] = "a statement of DDL",
		[SQLCLASS_ALONE] = "this statement",
		[SQLCLASS_COPY_STDIN] = "COPY FROM STDIN",
		[SQLCLASS_META] = "a command of psql",
	};

	return names[kind];
}
