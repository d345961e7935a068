/* SPDX-License-Identifier: PostgreSQL */
#pragma once

/*
 * Where one SQL statement ends and the next begins, by psql's rules (PostgreSQL
 * 15, psqlscan.l): what sqltoken says of quotes and comments, parentheses (the
 * semicolons inside CREATE RULE ... DO (a; b) do not count), BEGIN ATOMIC ... END
 * bodies, the data behind COPY ... FROM STDIN, and psql's own commands, which begin
 * with a backslash.
 *
 * It is not a parser: it never rejects SQL. It serves to name the statement that
 * failed, and to send statements one by one where they must be. Text is scanned in
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

#include "core/sqltoken.h"

struct sqlscan {
	struct sqltoken_reader reader;
};

struct sqlscan_statement {
	size_t offset; /* first byte that is not white space or comment */
	/*
	 * Up to and with the semicolon, or the end. Of a backslash where a statement
	 * would begin: up to the end of the line.
	 */
	size_t len;
	bool open; /* the text ended inside of a quote, comment, body or parenthesis */
	/*
	 * Of COPY ... FROM STDIN: the lines behind the one it ends on, up to and
	 * without the line "\.", or to the end. None where more than white space and
	 * comments follow on that line, which no tool writes.
	 */
	bool has_data;
	size_t data_offset;
	size_t data_len;
};

void sqlscan_init(struct sqlscan *scan, const char *text, size_t len);

/* The next statement that is not empty. False at the end. */
bool sqlscan_next(struct sqlscan *scan, struct sqlscan_statement *out);

/* Whether the statement is COPY ... FROM STDIN. */
bool sqlscan_is_copy_stdin(const char *text, size_t len);
