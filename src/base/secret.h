/* SPDX-License-Identifier: PostgreSQL */
#pragma once

/*
 * Secrets: what one looks like where it comes from, and how it is kept out of what others print.
 *
 *	const char *problem = secret_take(data, len);
 *
 *	if (problem)
 *		return err_set(err, CAT_CONFIGURATION, "%s", problem);
 *	...
 *	secret_cover(line, secrets, n);
 *	log_info("a hook says", LOG_STR("line", line));
 */

#include <stddef.h>

/*
 * Make a secret of the `len` bytes at `data`, which a NUL byte follows: the newline at their end
 * goes. NULL, or what is wrong, as the end of a sentence: empty, a second line, a NUL byte.
 */
const char *secret_take(char *data, size_t len);

/*
 * Overwrite with '*' each of the `n` secrets wherever it stands in `text`, and at its end, where
 * more may have been cut off, the beginning of one. What is shorter than SECRET_COVERED is left:
 * it would be found in ordinary words.
 */
#define SECRET_COVERED 4
void secret_cover(char *text, const char *const *secrets, size_t n);

/*
 * Overwrite with '*' what a statement has for a password: the literal behind the word PASSWORD
 * (CREATE ROLE, OPTIONS of a user mapping), and password=... in a connection string. For what is
 * quoted of a statement to those who do not read the files; `text` may be cut off.
 */
void secret_cover_sql(char *text);
