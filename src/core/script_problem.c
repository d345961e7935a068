/* SPDX-License-Identifier: PostgreSQL */
#include "core/script_build.h"

/*
 * Why a file cannot be run as it is, in words for who wrote it.
 */

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/mem.h"
#include "core/locate.h"

void
script_problem_at(struct script_builder *builder, const struct script_found *found,
    enum category category, const char *hint, const char *fmt, ...)
{
	const struct migration *m = builder->migration;
	struct err *err = mem_zero(builder->script, struct err);
	va_list ap;

	va_start(ap, fmt);
	err_vset(err, category, fmt, ap);
	va_end(ap);
	err_hint(err, "%s", hint);
	err->exit_code = EXIT_REFUSED;
	snprintf(err->migration, sizeof(err->migration), "%s", m->id);
	locate_statement(m, &found->statement, 0, err);
	builder->script->problem = err;
}

void
script_problem_of_control(
    struct script_builder *builder, const struct script_found *found)
{
	bool rollback = found->statement.class.kind == SQLCLASS_ROLLBACK;

	if (rollback)
		script_problem_at(builder, found, CAT_SQL_ERROR,
		    "take it out: when the file fails, its transaction is rolled back "
		    "without being told to",
		    "ROLLBACK would undo what the file has done before");
	else
		script_problem_at(builder, found, CAT_SQL_ERROR,
		    "end it with COMMIT: the row that records the file has to be in the "
		    "same transaction",
		    "the file's transaction cannot end in two phases or in a chain");
}

void
script_problem_of_command(
    struct script_builder *builder, const struct script_found *found)
{
	const struct script_statement *statement = &found->statement;
	size_t len = 1;

	while (len < statement->len && len < 32 &&
	    strchr(" \t\r;", statement->text[len]) == NULL)
		len++;
	script_problem_at(builder, found, CAT_SQL_ERROR,
	    "write it as SQL or take it out; of psql's commands \\restrict and "
	    "\\unrestrict alone may stay, and the data of COPY up to \\.",
	    "%.*s is a command of psql, not SQL", (int)len, statement->text);
}

void
script_problem_of_alone(struct script_builder *builder, const struct script_found *found)
{
	const char *name = sqlclass_name(found->statement.class.kind);

	if (builder->in_block && builder->dialect != NULL)
		script_problem_at(builder, found, CAT_SQL_ERROR,
		    "take BEGIN and COMMIT out: migrationd runs DDL by itself",
		    "%s is a transaction by itself on %s, and the file begins another",
		    name, builder->dialect->name);
	else if (builder->in_block)
		script_problem_at(builder, found, CAT_SQL_ERROR,
		    "put COMMIT before it, or take BEGIN out: migrationd runs it by "
		    "itself, and what is around it in transactions",
		    "%s cannot run in the transaction that the file begins", name);
	else
		script_problem_at(builder, found, CAT_SQL_ERROR,
		    "take the directive out: migrationd runs the statement by itself, and "
		    "what is around it in transactions",
		    "%s cannot run in the one transaction that the file asks for", name);
}

bool
script_judge_dialect(struct script_builder *builder, const struct script_found *found)
{
	const struct script_statement *st = &found->statement;
	const struct dialect_refusal *refusal = builder->script->directives.unchecked
	    ? NULL
	    : dialect_refuses(builder->dialect, st->text, st->len);

	if (refusal != NULL)
		script_problem_at(builder, found, CAT_SQL_ERROR, refusal->hint,
		    "%s does not take %s (seen %s; \"-- migrationd: unchecked\" in the first "
		    "line tries all the same)",
		    builder->dialect->name, refusal->what, builder->dialect->observed);
	return refusal == NULL;
}
