/* SPDX-License-Identifier: PostgreSQL */
#include "core/resume.h"

#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "core/locate.h"

static const struct resume_row *
row_of(const struct resume_row *rows, size_t n, unsigned number)
{
	for (size_t i = 0; i < n; i++)
		if (rows[i].number == number)
			return &rows[i];
	return NULL;
}

static void ask(struct err *err, const char *answers, const char *fmt, ...)
    PRINTF_LIKE(3, 4);

/* What a person may say to it, for programs and in words. */
static void
ask(struct err *err, const char *answers, const char *fmt, ...)
{
	va_list ap;

	snprintf(err->answers, sizeof(err->answers), "%s", answers);
	va_start(ap, fmt);
	vsnprintf(err->hint, sizeof(err->hint), fmt, ap);
	va_end(ap);
}

/* What ran of a way back stays undone: it cannot begin anew. */
static void
ask_changed(bool finished, bool back, struct err *err)
{
	if (finished && back)
		err_hint(err,
		    "put the statements that ran back as they were, then POST /rollback");
	else if (finished)
		ask(err, "pending",
		    "put the statements that ran back as they were, or begin the file anew "
		    "by POST /repair (\"pending\"); then POST /apply");
	else
		ask(err, back ? "applied retry" : "applied retry pending",
		    "look at the database, then answer by POST /repair: \"retry\" to run it as "
		    "it is now%s \"applied\" if nothing is left to do%s; then POST /%s",
		    back ? ", or" : ",",
		    back ? "" : ", or \"pending\" to begin the file anew",
		    back ? "rollback" : "apply");
}

static int
fail_changed(const struct migration *migration, const struct script_statement *statement,
    bool finished, bool back, struct err *err)
{
	if (finished)
		err_set(err, CAT_CHECKSUM_MISMATCH,
		    "statement %u ran already, but it is another one now",
		    statement->number);
	else
		err_set(err, CAT_CHECKSUM_MISMATCH,
		    "statement %u was begun by a run that did not see its end, and it is "
		    "another one now",
		    statement->number);
	ask_changed(finished, back, err);
	err->exit_code = EXIT_REFUSED;
	snprintf(err->migration, sizeof(err->migration), "%s", migration->id);
	locate_statement(migration, statement, 0, err);
	return -1;
}

int
resume_find(const struct script *script, const struct migration *migration, bool back,
    const struct resume_row *rows, size_t n, struct resume *out, struct err *err)
{
	size_t segment = 0;

	for (; segment < script->n_segments; segment++) {
		const struct script_segment *s = &script->segments[segment];
		const struct script_statement *statement = &script->statements[s->first];
		const struct resume_row *row = NULL;

		for (size_t i = 0; i < s->n; i++) {
			char digest[DIGEST_HEX];

			row = row_of(rows, n, statement[i].number);
			if (!row)
				break;
			script_digest(&statement[i], digest);
			if (strcmp(row->digest, digest) != 0)
				return fail_changed(
				    migration, &statement[i], row->finished, back, err);
		}
		if (!row || !row->finished) {
			*out = (struct resume){ segment, row != NULL };
			return 0;
		}
	}
	*out = (struct resume){ segment, false };
	return 0;
}

struct sqleffect
resume_effect(const struct script_statement *statement)
{
	struct sqleffect effect;

	sqleffect_of(statement->text, statement->len, &effect);
	return effect;
}

static bool
makes_index(enum sqlclass_kind kind)
{
	return kind == SQLCLASS_CREATE_INDEX_CONCURRENTLY ||
	    kind == SQLCLASS_CREATE_INDEX_ONLINE;
}

static enum resume_lookup
lookup_of_effect(enum sqleffect_kind kind)
{
	if (kind == SQLEFFECT_UNKNOWN)
		return RESUME_ASK;
	return kind == SQLEFFECT_HARMLESS ? RESUME_AGAIN : RESUME_OBJECT;
}

enum resume_lookup
resume_lookup_of(const struct script_statement *statement)
{
	enum sqlclass_kind kind = statement->class.kind;
	bool named = statement->class.name[0] != '\0';

	if (makes_index(kind) && named)
		return RESUME_INDEX_MADE;
	if (kind == SQLCLASS_DROP_INDEX_CONCURRENTLY && named)
		return RESUME_INDEX_GONE;
	if (kind == SQLCLASS_REINDEX_CONCURRENTLY || kind == SQLCLASS_VACUUM)
		return RESUME_AGAIN;
	if (kind == SQLCLASS_DDL)
		return lookup_of_effect(resume_effect(statement).kind);
	return RESUME_ASK;
}

/*
 * What commits on the way may leave a part: a procedure, a DO body, DETACH CONCURRENTLY,
 * and an index whose name the server makes up. All else that runs alone, runs as a whole
 * or may run again.
 */
enum resume_left
resume_left_by(const struct script_statement *statement, const char *sqlstate)
{
	enum sqlclass_kind kind = statement->class.kind;
	bool is_call =
	    statement->len >= 4 && strncasecmp(statement->text, "call", 4) == 0;
	bool named = statement->class.name[0] != '\0';

	/* statement_completion_unknown, as CockroachDB has it */
	if (strcmp(sqlstate, "40003") == 0)
		return RESUME_LEFT_UNKNOWN;
	/* somebody else's index has the name: nothing was begun */
	if (makes_index(kind) && named)
		return strcmp(sqlstate, "42P07") == 0 ? RESUME_LEFT_NOTHING
						      : RESUME_LEFT_INDEX;
	if (kind == SQLCLASS_DO_COMMIT || kind == SQLCLASS_DETACH_CONCURRENTLY ||
	    kind == SQLCLASS_CREATE_INDEX_CONCURRENTLY || is_call)
		return RESUME_LEFT_UNKNOWN;
	return RESUME_LEFT_NOTHING;
}

void
resume_ask(const struct migration *migration, const struct script_statement *statement,
    bool back, struct err *err)
{
	err_set(err, CAT_SQL_ERROR,
	    "statement %u was begun by a run that did not see its end: did it run?",
	    statement->number);
	ask(err, back ? "applied retry" : "applied retry pending",
	    "look at the database, then answer by POST /repair: \"applied\" if it ran%s "
	    "\"retry\" to run it again%s; then POST /%s",
	    back ? ", or" : ",", back ? "" : ", or \"pending\" to begin the file anew",
	    back ? "rollback" : "apply");
	err->http_status = 409;
	err->exit_code = EXIT_REFUSED;
	snprintf(err->migration, sizeof(err->migration), "%s", migration->id);
	locate_statement(migration, statement, 0, err);
}
