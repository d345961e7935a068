/* SPDX-License-Identifier: PostgreSQL */
#pragma once

/*
 * The check: what a developer or a CI job should know before a migration is merged or
 * run. Files against the journal that lists them, the journal against itself,
 * snapshots against each other, all of it against the database. A pure function of
 * the status and of what was read for it (check_reading.h): nothing is read or written here.
 *
 *	struct check_input input = {
 *		.status = status,
 *		.reading = reading,
 *		.now_us = clock_now_us(),
 *		.strict = strict,
 *	};
 *	struct check *check = check_build(ctx, &input);
 *
 *	for (size_t i = 0; i < check->n_findings; i++) ... check->findings[i].message
 *	return check_exit_code(check);
 *
 * A finding is told once, with the place where it is mended. What fails the check is an
 * error, or with `strict` a warning, too; a note never does. What is pending is a
 * warning, and gives EXIT_PENDING in any case.
 *
 * The folders of all phases are looked at. In a lenient one (data), what is an error
 * elsewhere is a warning, and what is pending fails nothing: the schema counts as current
 * without it.
 *
 * Where findings ask for different exit codes, the first of these wins, so that the code
 * names what has to be mended first: 4 configuration, 2 files, 6 unreachable,
 * 5 failed, 8 refused, 1 drift, 3 pending.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "core/check_reading.h"
#include "core/phase.h"
#include "core/status.h"

enum check_severity {
	CHECK_ERROR,
	CHECK_WARNING,
	CHECK_NOTE,
	CHECK_SEVERITY_COUNT
};

/* The names are API: check_kind_name. */
enum check_kind {
	/* the folder */
	CHECK_FOLDER, /* nothing can be read from it, or a rule of its layout broken */
	CHECK_FILE_MISSING, /* listed, but not there */
	CHECK_FILE_INVALID, /* cannot be run: bytes, a merge conflict, a directive ... */
	CHECK_UNREGISTERED, /* there, but not listed */
	CHECK_DUPLICATE,    /* the same idx or `when` twice */
	CHECK_WHEN_ORDER,   /* a `when` that is not above an earlier one */
	CHECK_WHEN_FUTURE,  /* a `when` days ahead of the clock */
	/* its snapshots */
	CHECK_SNAPSHOT_INVALID, /* unreadable, or no snapshot */
	CHECK_SNAPSHOT_FORK,    /* two branches from one state */
	CHECK_SNAPSHOT_ORPHAN,  /* of no migration */
	CHECK_SNAPSHOT_CHAIN,   /* made from a snapshot that is not there */
	CHECK_SNAPSHOT_VERSION, /* older than others */
	CHECK_SNAPSHOT_MISSING, /* of a migration */
	/* the database */
	CHECK_UNREACHABLE,
	CHECK_FAILED,        /* the last run stopped at it */
	CHECK_IN_DOUBT,      /* it stopped there to ask */
	CHECK_OUT_OF_ORDER,  /* not applied, and older than what is */
	CHECK_REFUSED,       /* anything else that keeps a run from starting */
	CHECK_MODIFIED,      /* not what was applied */
	CHECK_EOL_ONLY,      /* so, but for nothing more than its line ends */
	CHECK_RECORDED_ONLY, /* recorded, and no file */
	CHECK_PENDING,
	CHECK_NOTICE, /* what else the plan warns of */
	CHECK_KIND_COUNT
};

/* Strings are owned by the check. */
struct check_finding {
	enum check_kind kind;
	enum check_severity severity;
	enum phase phase; /* whose folder it is about */
	enum exit_code
	    exit_code;    /* what it alone makes of the check; 0: it does not fail it */
	const char *file; /* beneath the folder; NULL: it is about none */
	unsigned line;    /* from 1; 0: the whole file */
	const char *migration; /* its id; NULL: it is about none */
	const char *message;
	const char *remedy;    /* what to do, a sentence; NULL: nothing */
	const char **commands; /* the way out, exact, one after the other */
	size_t n_commands;
};

struct check_input {
	const struct status *status;
	const struct check_reading *reading; /* at its end, for that status */
	int64_t now_us;
	bool strict;
	/* of files alone: nobody wants to know what the database says */
	bool files_only;
};

struct check {
	const struct status *status;
	bool strict;
	bool files_only;
	size_t n_snapshots;
	/* errors first, then warnings, then notes */
	struct check_finding *findings;
	size_t n_findings;
	size_t counts[CHECK_SEVERITY_COUNT];
	/* beyond BOUND_CHECK_FINDINGS of a severity: counted, not listed */
	size_t n_left_out;
	enum exit_code exit_code;
};

/* The folder that a finding is about. */
const struct folder *check_folder(
    const struct check *check, const struct check_finding *f);

/* The check, owned by `ctx`; it points into the status, which must outlive it. */
struct check *check_build(const void *ctx, const struct check_input *input);

enum exit_code check_exit_code(const struct check *check);

/* "fine", "configuration", "files", "unreachable", ...: one word for an exit code of a check. */
const char *check_verdict_name(enum exit_code code);

/* "error", "warning", "note". */
const char *check_severity_name(enum check_severity severity);

/* "snapshot_fork", ... */
const char *check_kind_name(enum check_kind kind);
