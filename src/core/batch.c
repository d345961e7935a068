/* SPDX-License-Identifier: PostgreSQL */
#include "core/batch.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/mem.h"
#include "core/locate.h"
#include "core/sqltoken.h"

/* Without size= where the statement asks for it: some milliseconds of work. */
#define SIZE_DEFAULT 1000u

/* ---- what the statement is ---- */

struct look {
	struct batch *batch;
	const char
	    *what; /* the word that says what it does; NULL: none that changes rows */
	bool has_limit;
	bool has_size;  /* $1 */
	bool has_other; /* $2 and the like */
};

static bool
is_change(const struct sqltoken *token)
{
	return sqltoken_is(token, "update") || sqltoken_is(token, "delete") ||
	    sqltoken_is(token, "insert") || sqltoken_is(token, "merge");
}

/* The table behind UPDATE, DELETE FROM, INSERT INTO, MERGE INTO: a name, with dots. */
static void
take_table(struct batch *batch, struct sqltoken_reader *reader)
{
	struct sqltoken token = sqltoken_next_solid(reader);

	while (sqltoken_is(&token, "from") || sqltoken_is(&token, "into") ||
	    sqltoken_is(&token, "only"))
		token = sqltoken_next_solid(reader);
	batch->table = token.text;
	while (token.kind == SQLTOKEN_WORD || token.kind == SQLTOKEN_NAME) {
		struct sqltoken_reader ahead = *reader;
		struct sqltoken dot = sqltoken_next_solid(&ahead);

		batch->table_len = (size_t)(token.text - batch->table) + token.len;
		if (!sqltoken_is_char(&dot, '.'))
			break;
		*reader = ahead;
		token = sqltoken_next_solid(reader);
	}
}

/* $1 is a dollar and the number behind it. */
static void
take_parameter(struct look *look, struct sqltoken_reader *reader)
{
	struct sqltoken_reader ahead = *reader;
	struct sqltoken number = sqltoken_next(&ahead);

	if (sqltoken_is_char(&number, '1'))
		look->has_size = true;
	else if (number.kind == SQLTOKEN_OTHER && number.len > 0 &&
	    number.text[0] >= '0' && number.text[0] <= '9')
		look->has_other = true;
}

static struct look
look_at(struct batch *batch, const struct script_statement *statement)
{
	struct sqltoken_reader reader = { .text = statement->text,
		.len = statement->len };
	struct look look = { .batch = batch };
	struct sqltoken token = sqltoken_next_solid(&reader);
	bool first = true;
	bool with = sqltoken_is(&token, "with");
	unsigned depth = 0;

	for (; token.kind != SQLTOKEN_END; token = sqltoken_next_solid(&reader)) {
		depth += token.kind == SQLTOKEN_OPEN_PAREN;
		depth -= token.kind == SQLTOKEN_CLOSE_PAREN && depth > 0;
		if (sqltoken_is(&token, "limit") || sqltoken_is(&token, "fetch"))
			look.has_limit = true;
		else if (sqltoken_is_char(&token, '$'))
			take_parameter(&look, &reader);
		else if (look.what == NULL && depth == 0 && (first || with) &&
		    is_change(&token)) {
			look.what = token.text;
			batch->adds = sqltoken_is(&token, "insert");
			take_table(batch, &reader);
		}
		first = false;
	}
	return look;
}

/* ---- what is wrong with it ---- */

static const char *
find_fault(const struct script *script, const struct look *look, const char **hint)
{
	const struct directives *said = &script->directives;

	*hint = "one UPDATE, DELETE, INSERT or MERGE that finds by itself what is left";
	if (script->n_statements != 1)
		return "a file in batches holds one statement";
	if (!script->segments[0].transactional || look->what == NULL)
		return "this statement cannot be run in batches";
	*hint = "write LIMIT $1, which size=1000 fills, or a LIMIT of your own";
	if (look->has_other)
		return "a file in batches has no other parameter than $1";
	if (!look->has_size && said->batch_size > 0)
		return "the size has nothing to fill";
	if (!look->has_size && !look->has_limit)
		return "nothing bounds a batch: it would be the whole table";
	return NULL;
}

void
batch_build(struct script *script, const struct migration *migration)
{
	const struct directives *said = &script->directives;
	struct batch *batch = mem_zero(script, struct batch);
	struct look look = { 0 };
	const char *hint = NULL;
	const char *fault;

	if (script->n_statements > 0)
		look = look_at(batch, &script->statements[0]);
	fault = find_fault(script, &look, &hint);
	if (fault != NULL) {
		struct err *err = mem_zero(script, struct err);

		err->exit_code = EXIT_REFUSED;
		err_set(err, CAT_SQL_ERROR, "%s", fault);
		err_hint(err, "%s", hint);
		snprintf(err->migration, sizeof(err->migration), "%s", migration->id);
		if (script->n_statements > 0)
			locate_statement(migration,
			    &script->statements[script->n_statements - 1], 0, err);
		err_where(err, migration->file, 0);
		script->problem = err;
		return;
	}
	batch->size =
	    look.has_size && said->batch_size == 0 ? SIZE_DEFAULT : said->batch_size;
	batch->pause_ms = said->batch_pause_ms;
	batch->count = said->batch_count;
	batch->count_len = said->batch_count_len;
	script->batch = batch;
}

/* ---- how far it is ---- */

void
batch_measure(
    struct run_batch *batch, uint64_t start_rows, int64_t start_us, int64_t now_us)
{
	struct run_progress *progress = &batch->progress;
	uint64_t left = 0;

	*progress = (struct run_progress){
		.command = "batches",
		.unit = "rows",
		.done = batch->rows,
		.percent = -1,
		.rate_per_second = -1,
		.eta_seconds = -1,
	};
	snprintf(
	    progress->phase, sizeof(progress->phase), "%" PRIu64 " done", batch->batches);
	if (now_us > start_us && batch->rows > start_rows)
		progress->rate_per_second = (double)(batch->rows - start_rows) * 1e6 /
		    (double)(now_us - start_us);
	if (batch->total < 0)
		return;
	progress->total = (uint64_t)batch->total;
	/* more were added since they were counted */
	if (progress->total > batch->rows)
		left = progress->total - batch->rows;
	progress->percent =
	    left == 0 ? 100 : 100 * (double)batch->rows / (double)progress->total;
	if (progress->rate_per_second > 0)
		progress->eta_seconds = (double)left / progress->rate_per_second;
}

int
batch_check_end(const struct run_batch *batch, struct err *err)
{
	if (batch->bound == 0 || batch->rows <= 2 * batch->bound)
		return 0;
	err_set(err, CAT_SQL_ERROR,
	    "it has touched %" PRIu64 " rows, and there cannot be more than %" PRIu64
	    ": it would never end",
	    batch->rows, batch->bound);
	err_hint(err,
	    "its WHERE has to leave out what is done; batches that are committed stay");
	return -1;
}
