/* SPDX-License-Identifier: PostgreSQL */
#include "core/script_build.h"

#include <stdio.h>
#include <string.h>

#include "base/bounds.h"
#include "base/mem.h"
#include "core/batch.h"
#include "core/script_enum.h"
#include "core/sqlscan.h"

/* Whether the values added just now have to be committed before this statement. */
static bool
must_commit_values(const struct script_builder *builder, const struct script_found *found)
{
	const struct script *script = builder->script;

	for (size_t i = 1; i <= builder->n_values; i++) {
		if (script_uses_enum_value(builder->migration,
			&script->statements[script->n_statements - i], &found->statement))
			return true;
	}
	return false;
}

/* ---- segments ---- */

static struct script_segment *
add_segment(struct script_builder *builder, bool transactional)
{
	struct script *script = builder->script;
	struct script_segment *segment;

	if (script->n_segments == builder->room_segments) {
		builder->room_segments += builder->room_segments + 4;
		script->segments = mem_grow(script, script->segments,
		    struct script_segment, builder->room_segments);
	}
	segment = &script->segments[script->n_segments++];
	*segment = (struct script_segment){
		.transactional = transactional,
		.first = script->n_statements,
	};
	builder->open_segment = transactional;
	if (builder->in_block) {
		segment->modes = builder->modes;
		segment->modes_len = builder->modes_len;
	}
	return segment;
}

/* False: there is a problem. */
static bool
open_segment(
    struct script_builder *builder, const struct script_found *found, bool transactional)
{
	const struct script *script = builder->script;

	if (script->n_segments > 0 &&
	    script->directives.transaction == DIRECTIVE_TRANSACTION)
		script_problem_at(builder, found, CAT_SQL_ERROR,
		    "take the directive or the COMMIT out",
		    "the file asks for one transaction, and ends it before this");
	else
		add_segment(builder, transactional);
	return script->problem == NULL;
}

static void
close_segment(struct script_builder *builder)
{
	builder->open_segment = false;
	builder->n_values = 0;
}

static void
keep_statement(struct script_builder *builder, const struct script_found *found)
{
	struct script *script = builder->script;

	/* no harm yet: the file may be plain, and then none of them is kept */
	if (script->n_statements == BOUND_SCRIPT_STATEMENTS) {
		builder->too_many = true;
		return;
	}
	if (script->n_statements == builder->room_statements) {
		builder->room_statements += builder->room_statements + 4;
		script->statements = mem_grow(script, script->statements,
		    struct script_statement, builder->room_statements);
	}
	if (found->statement.class.sets_session)
		builder->settings_len += found->statement.len;
	script->statements[script->n_statements++] = found->statement;
	script->segments[script->n_segments - 1].n++;
}

static void
add_statement(
    struct script_builder *builder, const struct script_found *found, bool transactional)
{
	bool adds_value = found->statement.class.adds_enum_value;
	bool may_split = !builder->in_block &&
	    builder->script->directives.transaction != DIRECTIVE_TRANSACTION;

	if (!transactional ||
	    (!adds_value && may_split && must_commit_values(builder, found)))
		close_segment(builder);
	if (!builder->open_segment && !open_segment(builder, found, transactional))
		return;
	keep_statement(builder, found);
	builder->n_values = adds_value && !builder->too_many ? builder->n_values + 1 : 0;
}

/* ---- one statement after the other ---- */

/* The words behind BEGIN [WORK | TRANSACTION], START TRANSACTION. */
static void
begin_block(struct script_builder *builder, const struct script_statement *begin)
{
	struct sqltoken_reader reader = { .text = begin->text, .len = begin->len };
	struct sqltoken token = sqltoken_next_solid(&reader);
	const char *end = begin->text + begin->len;

	do
		token = sqltoken_next_solid(&reader);
	while (sqltoken_is(&token, "work") || sqltoken_is(&token, "transaction"));
	end -= end[-1] == ';';
	if (builder->in_block) /* a warning of the server's, no more */
		return;
	builder->in_block = true;
	builder->modes_len = (size_t)(end - token.text);
	builder->modes = builder->modes_len > 0 ? token.text : NULL;
	if (builder->dialect != NULL && builder->dialect->no_modes)
		builder->modes = NULL;
	/* an isolation level is for a whole transaction; the block may use the values */
	if (builder->modes != NULL || builder->n_values > 0)
		close_segment(builder);
}

static void
end_block(struct script_builder *builder)
{
	close_segment(builder);
	builder->in_block = false;
}

static void
pass_over_command(struct script_builder *builder, const struct script_found *found)
{
	struct sqltoken_reader reader = {
		.text = found->statement.text + 1,
		.len = found->statement.len - 1,
	};
	struct sqltoken word = sqltoken_next(&reader);

	if (!sqltoken_is(&word, "restrict") && !sqltoken_is(&word, "unrestrict"))
		script_problem_of_command(builder, found);
}

static void
take_plain(struct script_builder *builder, const struct script_found *found)
{
	bool alone = sqlclass_is_alone(found->statement.class.kind);
	enum directive_transaction asked = builder->script->directives.transaction;

	builder->must_split |= alone;
	if (alone && (builder->in_block || asked == DIRECTIVE_TRANSACTION))
		script_problem_of_alone(builder, found);
	else
		add_statement(builder, found,
		    !alone && (builder->in_block || asked != DIRECTIVE_NO_TRANSACTION));
}

static void
take(struct script_builder *builder, const struct script_found *found)
{
	enum sqlclass_kind kind = found->statement.class.kind;

	if (!script_judge_dialect(builder, found))
		return;
	if (kind == SQLCLASS_META)
		pass_over_command(builder, found);
	else if (kind == SQLCLASS_ROLLBACK || kind == SQLCLASS_TWO_PHASE)
		script_problem_of_control(builder, found);
	else if (kind == SQLCLASS_BEGIN)
		begin_block(builder, &found->statement);
	else if (kind == SQLCLASS_COPY_STDIN && found->statement.data == NULL)
		script_problem_at(builder, found, CAT_SQL_ERROR,
		    "put what follows behind the line \\. that ends the data",
		    "the data of COPY begin in the next line, and more stands on this one");
	else if (kind == SQLCLASS_COMMIT)
		end_block(builder);
	else
		take_plain(builder, found);
	builder->must_split |= kind == SQLCLASS_META || kind == SQLCLASS_BEGIN ||
	    kind == SQLCLASS_COMMIT || kind == SQLCLASS_COPY_STDIN;
}

/* ---- the file ---- */

static struct script_found
found_of(const struct dialect *dialect, const struct part *part, size_t n_part,
    const struct sqlscan_statement *st)
{
	struct script_found found = {
		.statement = {
			.text = part->text + st->offset,
			.len = st->len,
			.data = st->has_data ? part->text + st->data_offset : NULL,
			.data_len = st->data_len,
			.part = n_part,
			.offset = st->offset,
		},
		.open = st->open,
	};

	dialect_class(
	    dialect, found.statement.text, found.statement.len, &found.statement.class);
	return found;
}

/* Take in a part; true when its text ends inside of a quote, which is left in *last. */
static bool
take_part(struct script_builder *builder, size_t n_part, unsigned *number,
    struct script_found *last)
{
	const struct part *part = &builder->migration->parts[n_part];
	struct sqlscan scan;
	struct sqlscan_statement statement;

	sqlscan_init(&scan, part->text, part->len);
	while (sqlscan_next(&scan, &statement)) {
		struct script_found found =
		    found_of(builder->dialect, part, n_part, &statement);

		found.statement.number = ++*number;
		if (found.open) {
			*last = found;
			return true;
		}
		take(builder, &found);
		if (builder->script->problem != NULL)
			break;
	}
	return false;
}

static bool
is_plain(const struct script_builder *builder)
{
	const struct script *script = builder->script;

	return !builder->must_split &&
	    (script->n_segments == 0 ||
		(script->n_segments == 1 && script->segments[0].transactional));
}

/* What the server would refuse must not be found out when half of it is committed. */
static void
judge_open(struct script_builder *builder, const struct script_found *found)
{
	if (!is_plain(builder))
		script_problem_at(builder, found, CAT_SQL_SYNTAX_ERROR,
		    "look for a quote, a C comment or a parenthesis without its end",
		    "the file ends within this statement");
}

static void
judge_size(struct script_builder *builder)
{
	const struct script *script = builder->script;
	struct script_found last = { 0 };

	if (is_plain(builder) ||
	    (!builder->too_many && builder->settings_len <= BOUND_SCRIPT_SETTINGS))
		return;
	last.statement = script->statements[script->n_statements - 1];
	script_problem_at(builder, &last, CAT_SQL_ERROR, "make several files of it",
	    "the file does not run in one transaction, so it may have %u statements, and "
	    "%u bytes of SET, but it has more",
	    BOUND_SCRIPT_STATEMENTS, BOUND_SCRIPT_SETTINGS);
}

static void
take_file(struct script_builder *builder)
{
	const struct migration *m = builder->migration;
	const struct script *script = builder->script;
	unsigned number = 0;
	struct script_found found = { 0 };
	bool open = false;

	for (size_t i = 0; i < m->n_parts && !open && script->problem == NULL; i++)
		open = take_part(builder, i, &number, &found);
	if (open)
		judge_open(builder, &found);
	else if (script->problem == NULL)
		judge_size(builder);
}

struct script *
script_build(
    const void *ctx, const struct migration *migration, const struct dialect *dialect)
{
	struct script *script = mem_zero(ctx, struct script);
	struct script_builder builder = {
		.migration = migration,
		.dialect = dialect,
		.script = script,
	};
	struct err err = { .exit_code = EXIT_REFUSED };

	if (directive_read(
		migration->text, migration->text_len, &script->directives, &err) < 0) {
		snprintf(err.migration, sizeof(err.migration), "%s", migration->id);
		err_where(&err, migration->file, err.line);
		script->problem = mem_zero(script, struct err);
		*script->problem = err;
		return script;
	}
	if (migration->no_transaction && script->directives.transaction == DIRECTIVE_AUTO)
		script->directives.transaction = DIRECTIVE_NO_TRANSACTION;
	builder.must_split = script->directives.batch;
	take_file(&builder);
	if (script->directives.batch && script->problem == NULL)
		batch_build(script, migration);
	script->plain = is_plain(&builder);
	if (script->plain) {
		TALLOC_FREE(script->statements);
		TALLOC_FREE(script->segments);
		script->n_statements = script->n_segments = 0;
	}
	return script;
}
