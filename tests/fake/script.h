/* SPDX-License-Identifier: PostgreSQL */
#pragma once

/*
 * A PostgreSQL for the scripted libpq: rules that answer what runner and observer say to
 * the server, a folder, and the parameters of a target. And the other way round: what
 * was said, as words.
 *
 *	struct target_params params = script_params();
 *	struct folder *folder = script_folder("drizzle");
 *
 *	script_server();             a tracking table without rows, a journal, a free lock
 *	script_rows(folder, 1);      the first migration is applied
 *	script_migrations(folder);   one, and two (of two parts); their SQL is answered
 *	...
 *	script_sent(words, sizeof(words));
 *
 * Whatever a test wants otherwise it says behind script_server: the newest rule wins.
 *
 *	probe lock? locks+ lock+ lock holder look create rows unlock
 *	                         session and tracking table; others? theirs: look, too; lock+:
 *	                                                  its table, behind a pooler
 *	begun? upgrade                                    an older tracking table
 *	begin again relock record(KEY) COMMIT ROLLBACK    migrations; again: in a transaction
 *	failure(FILE) unrecord(KEY) bless(KEY)            that has begun already
 *	statements? statements+ resume                    migrations that run in segments
 *	session note(N) noted(N) index? mark forget       N: number of the statement
 *	batches? batches+ count bound load                in batches, with resume, mark, forget
 *	answered withdraw witness                         a repair, a COMMIT in doubt
 *	journal? journal+ journal baselined checksums runs    our journal
 *	<...>                                             a migration's SQL, or what is not known
 */

#include "core/folder.h"
#include "db/target_params.h"
#include "fakepq.h"

#define SCRIPT_WORDS 4096

struct target_params script_params(void);

/* An empty folder of that layout. */
struct folder *script_folder(const char *layout);

/*
 * Add a migration of that id ("0001_one"): the number is its order. A Drizzle version is
 * that number of milliseconds behind 1700000000000.
 */
struct migration *script_add(struct folder *folder, const char *id, const char *text);

/* The two that most tests use: 0001_one and 0002_two. */
void script_migrations(struct folder *folder);

/* Answers for all that is asked. */
void script_server(void);

/* The tracking table is, or is not, there. `columns` NULL: it is not. */
void script_table(const char *columns);

/* The Drizzle table's rows say that the first `n` migrations of the folder are applied. */
void script_rows(const struct folder *folder, size_t n);

/* The tables of our journal: of runs, of statements. */
void script_journal(bool exists, bool may_create);

/* Beside ours there is golang-migrate's table in schema "other"; NULL: without a row. */
void script_others(const char *version);

/* Its newest runs, in a text. */
void script_news(const char *news);

/* That of runs is of a release that did not say whose they are. */
void script_older_journal(bool may_widen);

/* What the server says that it is. */
void script_engine(const char *version, bool has_jobs);

void script_statements(bool exists, bool may_create);

/* Any index that is asked for: "t" or "f" says whether it is valid, NULL: it is not there. */
void script_index(const char *valid);

/* The lock is held elsewhere, for the next try only, or for ever. */
void script_lock_held(bool for_ever);

/* Shorthands for a rule with one answer. */
void script_tag(const char *pattern, const char *tag);
void script_error(const char *pattern, const char *sqlstate, const char *message);
void script_lose(const char *pattern);

/* Whether what was sent is a migration's SQL. */
bool script_is_migration(const char *sent);

/* What was sent, in order, as words with a space between. */
void script_sent(char *buf, size_t size);
