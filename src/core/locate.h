/* SPDX-License-Identifier: PostgreSQL */
#pragma once

/*
 * Where in a file an error of the server is.
 *
 * The server gives a character position in the query it was sent, or nothing but
 * the number of statements that completed before. Either leads to a statement of
 * the file: its number, line, column and head.
 */

#include "core/script.h"

/*
 * Fill file, line, column, statement and excerpt of `err` for an error in part
 * `part` of `m`. `position` counts characters from 1 (0: the server gave none);
 * `n_completed` statements of the part had completed.
 */
void locate_error(const struct migration *m, size_t part, unsigned long position,
    unsigned n_completed, struct err *err);

/*
 * The same for a statement that was sent alone: `position` counts in its text.
 */
void locate_statement(const struct migration *m, const struct script_statement *statement,
    unsigned long position, struct err *err);
