/* SPDX-License-Identifier: PostgreSQL */
#pragma once

/*
 * The way back that a file holds in its comments:
 *
 *	-- ============================================
 *	-- ROLLBACK SQL (for manual rollback if needed)
 *	-- ============================================
 *	-- DROP TABLE IF EXISTS user_preferences;
 *
 * It begins behind a line of its own: "rollback" or "rollback SQL" in any case, then a colon,
 * words in parentheses or nothing. The line comments behind it are its SQL, up to the next ruler,
 * statement, C comment or drizzle breakpoint. A list of steps to do by hand ("ROLLBACK
 * PROCEDURE") is none.
 */

#include "core/migration.h"

/*
 * Give `m` its m->down where its file has such a section: the comment signs taken away, all else
 * blank. What stands there and does not begin like a statement becomes m->down->problem, with its
 * line: prose, or the example of a template. For layouts, once version, name and order are set.
 */
void rollback_comment_read(struct migration *m);
