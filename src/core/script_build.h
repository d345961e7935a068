/* SPDX-License-Identifier: PostgreSQL */
#pragma once

/*
 * A script while it is made, for the two files that make it: script.c cuts the file into segments,
 * script_problem.c says why one cannot be.
 */

#include "core/script.h"

/* A statement of the file, as it is found. */
struct script_found {
	struct script_statement statement;
	bool open;
};

struct script_builder {
	const struct migration *migration;
	const struct dialect *dialect;
	struct script *script;
	size_t room_statements;
	size_t room_segments;
	bool open_segment; /* the last segment takes more statements */
	bool in_block;     /* between the file's own BEGIN and COMMIT */
	const char *modes; /* of that BEGIN */
	size_t modes_len;
	size_t n_values; /* the last so many statements each added an enum value */
	size_t settings_len;
	bool too_many;   /* statements */
	bool must_split; /* cannot be sent as it is */
};

/*
 * Each makes a problem of the script, with the place of the statement. `fmt` says what is wrong,
 * `hint` what to do.
 */
void script_problem_at(struct script_builder *builder, const struct script_found *found,
    enum category category, const char *hint, const char *fmt, ...) PRINTF_LIKE(5, 6);

/* ROLLBACK, or an end of the transaction in two phases. */
void script_problem_of_control(
    struct script_builder *builder, const struct script_found *found);

/* A command of psql's. */
void script_problem_of_command(
    struct script_builder *builder, const struct script_found *found);

/* What runs alone, within a transaction that the file asks for. */
void script_problem_of_alone(
    struct script_builder *builder, const struct script_found *found);

/* False: the server is of a dialect that does not take it, which is a problem. */
bool script_judge_dialect(
    struct script_builder *builder, const struct script_found *found);
