/* SPDX-License-Identifier: PostgreSQL */
#pragma once

/*
 * Where one SQL statement ends and the next begins, by psql's rules (PostgreSQL
 * 15, psqlscan.l): 'strings', E'strings\'', U&'', "identifiers", $tag$ bodies
 * $tag$, -- and nested C comments, parentheses (the semicolons inside CREATE RULE
 * ... DO (a; b) do not count), BEGIN ATOMIC ... END bodies.
 *
 * It is not a parser: it never rejects SQL. It serves to name the statement that
 * failed, and to see transaction control before it runs. Text is scanned in
 * place, nothing is allocated.
 *
 *	struct sqlscan scan;
 *	struct sqlscan_statement st;
 *
 *	sqlscan_init(&scan, part->text, part->len);
 *	while (sqlscan_next(&scan, &st))
 *		... st.offset, st.len
 */

#include <stdbool.h>
#include <stddef.h>

struct sqlscan {
	const char *text;
	size_t len;
	size_t pos;
};

struct sqlscan_statement {
	size_t offset; /* first byte that is not white space or comment */
	size_t len;    /* up to and with the semicolon, or the end */
	bool open; /* the text ended inside of a quote, comment, body or parenthesis */
};

void sqlscan_init(struct sqlscan *scan, const char *text, size_t len);

/* The next statement that is not empty. False at the end. */
bool sqlscan_next(struct sqlscan *scan, struct sqlscan_statement *out);

/*
 * What a statement does to the transaction it runs in. Decided by its first
 * keywords, comments skipped, so that no string or column of that name is taken
 * for one.
 */
enum sqlscan_control {
	SQLSCAN_NONE,     /* nothing */
	SQLSCAN_BEGIN,    /* BEGIN, START TRANSACTION */
	SQLSCAN_COMMIT,   /* COMMIT, END, PREPARE TRANSACTION, COMMIT PREPARED */
	SQLSCAN_ROLLBACK, /* ROLLBACK, ABORT; not ROLLBACK TO SAVEPOINT */
};

enum sqlscan_control sqlscan_control(const char *text, size_t len);
