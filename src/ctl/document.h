/* SPDX-License-Identifier: PostgreSQL */
#pragma once

/*
 * Reading a document of the API without asking at each step whether it is there: what is
 * missing, or of another type, is "", 0, false or an empty list.
 *
 *	doc_text(status, "database.name")
 *	doc_each(i, item, doc_get(status, "run.applied")) ...
 */

#include <stdbool.h>
#include <stdint.h>

#include <jansson.h>

#include "base/clock.h"

#define doc_each(i, item, list) json_array_foreach((json_t *)(list), i, item)

/* The member at a path, "run.error"; NULL when there is none, also for null. */
const json_t *doc_get(const json_t *document, const char *path);

const char *doc_text(const json_t *document, const char *path);
bool doc_is(const json_t *document, const char *path);
int64_t doc_number(const json_t *document, const char *path);

/* What a run has done so far: the migrations that it applied, or took back. */
const json_t *doc_done(const json_t *run);

/* Its word: "applied", "recorded" by a baseline, or "undone". */
const char *doc_done_word(const json_t *run);

/* A real or a whole number; `fallback` when there is none. */
double doc_real(const json_t *document, const char *path, double fallback);

/* "2026-11-20 05:58:12Z" of a time; "" when there is none. */
const char *doc_time(const json_t *document, const char *path, char buf[CLOCK_TEXT]);

/* "2.6 s" of a number of seconds; "" when there is none. */
const char *doc_span(const json_t *document, const char *path, char buf[CLOCK_TEXT]);
