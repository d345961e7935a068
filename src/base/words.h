/* SPDX-License-Identifier: PostgreSQL */
#pragma once

/*
 * A command line, cut into the words that a program gets. No shell: variables, patterns, pipes and
 * redirections mean nothing; who wants them writes sh -c '...'.
 *
 *	char **words = NULL;
 *
 *	if (words_split(ctx, "aws rds --region 'eu west'", &words, err) < 0) ...
 *	words: "aws", "rds", "--region", "eu west", NULL
 */

#include "base/err.h"

/*
 * Blanks stand between words. Quotes keep blanks: between single ones all stands for itself,
 * between double ones and outside a backslash takes the next character as it is. `*words` ends
 * with NULL and is owned by `ctx`. CONFIGURATION when a quote is open at the end or there is no
 * word; the text does not quote the line, which may hold a secret.
 */
int words_split(
    const void *ctx, const char *line, char ***words, struct err *err) MUST_CHECK;
