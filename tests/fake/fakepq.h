/* SPDX-License-Identifier: PostgreSQL */
#pragma once

/*
 * A libpq that does what a test tells it, linked in the place of the real one.
 *
 * The sockets are real (socketpair), so that the loop under test works as it does in
 * earnest: each thing that the server says is one byte to be read, and arrives in a
 * turn of its own. What would block or hang with the real libpq (PQgetResult while
 * busy, a query nobody has an answer for) ends the test.
 *
 *	fakepq_reset();
 *	fakepq_connection("wrno", NULL);
 *	rule = fakepq_on("SELECT count");
 *	fakepq_rows(rule, 1, 1, (const char *const[]){ "42" });
 *	...
 *	fakepq_fail_at(k);               the k-th call from now fails
 *	assert_int_equal(fakepq_live(), 0);
 *
 * A rule answers every command whose text contains its pattern; the newest rule that
 * matches is taken. BEGIN, COMMIT and ROLLBACK alone need none. The transaction status
 * follows from the text and from errors.
 */

#include <stdbool.h>
#include <stddef.h>

struct fakepq_rule;

/* Forget rules, log and counters. All connections must be finished. */
void fakepq_reset(void);

/*
 * How the next connection comes about, a letter for each PQconnectPoll: 'w' wants to
 * write, 'r' to read, 'n' a new socket on the same number, then write, 'm' a new socket
 * on another number, 's' wants to read what never comes, 'o' is done, 'f' fails with
 * `message`. Without one: "wro".
 */
void fakepq_connection(const char *polls, const char *message);

/*
 * Command text that contains `pattern` is answered by what is added to the rule, in
 * this order. A pattern that begins with '=' is the whole text.
 */
struct fakepq_rule *fakepq_on(const char *pattern);

/* As fakepq_on, for the next such command only. */
struct fakepq_rule *fakepq_once(const char *pattern);

/* It says nothing any more; add anew. */
void fakepq_forget(struct fakepq_rule *rule);

void fakepq_tag(
    struct fakepq_rule *rule, const char *tag); /* a command tag, "INSERT 0 1" */
void fakepq_rows(
    struct fakepq_rule *rule, int n_fields, int n_rows, const char *const *values);
/* The name of the first column of the rows that were added last. */
void fakepq_name_column(struct fakepq_rule *rule, const char *name);
void fakepq_empty(struct fakepq_rule *rule); /* the answer to an empty query */
/* An error; of what comes behind it only fakepq_lose holds. `position` 0: none. */
void fakepq_error(struct fakepq_rule *rule, const char *sqlstate, const char *message,
    unsigned position);
/* What the error that was added last says besides; NULL: nothing. */
void fakepq_error_fields(
    struct fakepq_rule *rule, const char *detail, const char *hint, const char *context);
void fakepq_notice(struct fakepq_rule *rule, const char *severity, const char *sqlstate,
    const char *message);
void fakepq_notify(struct fakepq_rule *rule); /* a notification */
void fakepq_copy_in(struct fakepq_rule *rule);
void fakepq_copy_out(struct fakepq_rule *rule, unsigned n_rows);
void fakepq_copy_both(struct fakepq_rule *rule);
/* The data that COPY ... FROM STDIN was given, one after the other. */
const char *fakepq_copied(void);
void fakepq_stall(struct fakepq_rule *rule); /* nothing more until it is cancelled */
void fakepq_lose(struct fakepq_rule *rule);  /* the connection breaks here */

/* The server ends the newest connection; `sqlstate` NULL: without a word. */
void fakepq_hang_up(const char *sqlstate, const char *message);

/* PQflush and PQputCopyEnd have room only after so many tries, on connections to come. */
void fakepq_slow(unsigned tries);

/* What PQbackendPID says; 4711 after a reset. */
void fakepq_backend_pid(int pid);

/*
 * The commands sent, from 0; parameters behind the text, each after a '|'. NULL beyond
 * the last.
 */
const char *fakepq_sent(size_t i);
size_t fakepq_n_sent(void);
void fakepq_forget_sent(void);
/* How many of them contain `pattern`. */
size_t fakepq_count(const char *pattern);

/* Values that the last PQconnectStartParams had; NULL: not set. */
const char *fakepq_setting(const char *keyword);

unsigned fakepq_n_cancels(void);

/* Calls that can fail, since the reset; and the one (from 1) that does. 0: none. */
unsigned fakepq_calls(void);
void fakepq_fail_at(unsigned call);
/* Before that call the server goes: what has not been read by then never comes. 0: none. */
void fakepq_lose_at(unsigned call);

/* That command (from 1) is answered by an error instead. 0: none. */
void fakepq_error_at(unsigned command, const char *sqlstate);

/* The newest connection stands, and the server is there. */
bool fakepq_is_alive(void);
/* It is in a transaction, or in one that failed. */
bool fakepq_in_transaction(void);
/* How many commands COMMIT were answered with that tag, and the answer was read. */
size_t fakepq_n_committed(void);

/*
 * What a command did at the server, whatever becomes of its answer: to be told of each,
 * when it is sent, with parameters as in fakepq_sent. Without a command (FAKEPQ_GONE)
 * the session is another: what it did not commit is undone. A COMMIT whose rule says the
 * tag COMMIT behind fakepq_lose came through, although nobody hears of it.
 */
enum fakepq_effect {
	FAKEPQ_FAILED,    /* nothing, and a transaction is lost */
	FAKEPQ_INSIDE,    /* in a transaction, which goes on */
	FAKEPQ_OUTSIDE,   /* it is done; or ROLLBACK */
	FAKEPQ_COMMITTED, /* it, and what the transaction held */
	FAKEPQ_GONE
};
typedef void fakepq_watch_fn(const char *sent, enum fakepq_effect effect);
void fakepq_watch(fakepq_watch_fn *fn);

/* Objects of libpq that nobody has freed. */
int fakepq_live(void);
