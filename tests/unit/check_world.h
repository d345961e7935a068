/* SPDX-License-Identifier: PostgreSQL */
#pragma once

/*
 * A folder on disk, a history, and the check of both: folder, snapshots and plan are read
 * and made by the real modules.
 *
 *	struct world *w = *state;
 *
 *	world_entry(w, "0000_a", 1000);
 *	world_snapshot(w, "0000", "id-a", SNAPSHOT_ORIGIN);
 *	world_record(w, "1000", NULL);
 *	world_check(w);
 *	assert_int_equal(w->check->exit_code, EXIT_FINE);
 *
 * Include after cmocka.h.
 */

#include <stdio.h>
#include <string.h>

#include "base/mem.h"
#include "core/check.h"
#include "tempdir.h"

#define WORLD_NOW_US  INT64_C(1763618292123000) /* 2025-11-20T05:58:12.123Z */
#define WORLD_SQL     "SELECT 1;\nSELECT 2;\n"
#define WORLD_JOURNAL "meta/_journal.json"

struct world {
	char *dir;
	char *entries; /* of the journal, one a line, the first on line 2 */
	unsigned n_entries;
	struct folder *folder;
	struct history *history; /* NULL: never read */
	struct plan_input plan_input;
	struct status status;
	struct check_reading *reading;
	struct check_input input;
	struct check *check;
};

static int
world_setup(void **state)
{
	struct world *w = mem_zero(NULL, struct world);

	w->dir = tempdir_make();
	w->history = history_new(w, HISTORY_BY_VERSION);
	w->entries = mem_strdup(w, "");
	w->status.target = "default";
	w->status.database.looked = true;
	w->status.database.reachable = true;
	w->status.tracking.kind = "drizzle";
	snprintf(w->status.tracking.table, sizeof(w->status.tracking.table),
	    "drizzle.__drizzle_migrations");
	w->input.now_us = WORLD_NOW_US;
	*state = w;
	return 0;
}

static int
world_teardown(void **state)
{
	struct world *w = *state;

	folder_unref(w->folder);
	tempdir_remove(w->dir);
	talloc_free(w);
	return 0;
}

/* An entry of the journal with an idx of its own, and its file. */
static inline void
world_entry_with(struct world *w, const char *tag, long long when, const char *idx)
{
	char file[256];

	w->entries = talloc_asprintf_append(w->entries,
	    "%s\n{\"idx\": %s, \"version\": \"7\", \"when\": %lld, \"tag\": \"%s\"}",
	    w->n_entries > 0 ? "," : "", idx, when, tag);
	w->n_entries++;
	snprintf(file, sizeof(file), "%s.sql", tag);
	tempdir_text(w->dir, file, WORLD_SQL);
}

static inline void
world_entry(struct world *w, const char *tag, long long when)
{
	char idx[16];

	snprintf(idx, sizeof(idx), "%u", w->n_entries);
	world_entry_with(w, tag, when, idx);
}

static inline void
world_snapshot(struct world *w, const char *prefix, const char *id, const char *parent)
{
	char file[256], text[512];

	snprintf(file, sizeof(file), "meta/%s_snapshot.json", prefix);
	snprintf(text, sizeof(text),
	    "{\"id\": \"%s\", \"prevId\": \"%s\", \"version\": \"7\"}", id, parent);
	tempdir_text(w->dir, file, text);
}

/* A row of the tracking table; the checksum is that of WORLD_SQL when it is NULL. */
static inline void
world_record(struct world *w, const char *when, const char *checksum)
{
	char hex[DIGEST_HEX];
	struct history_row row = { .key = when, .checksum = checksum };

	digest_sha256_hex(WORLD_SQL, strlen(WORLD_SQL), hex);
	if (checksum == NULL)
		row.checksum = hex;
	row.has_order = true;
	row.order = strtoll(when, NULL, 10);
	history_add(w->history, &row);
}

static inline void
world_write_journal(struct world *w)
{
	char *text = mem_printf(w,
	    "{\"version\": \"7\", \"dialect\": \"postgresql\", \"entries\": [%s\n]}",
	    w->entries);

	tempdir_text(w->dir, WORLD_JOURNAL, text);
}

/* What a check reads, so many bytes in a turn. Returns the turns. */
static inline unsigned
world_read(struct world *w, size_t budget)
{
	unsigned turns = 1;

	if (w->reading == NULL)
		w->reading = check_reading_new(w);
	w->input.reading = w->reading;
	check_reading_begin(w->reading);
	while (!check_reading_step(w->reading, &w->status, budget))
		turns++;
	return turns;
}

/* Check the folder as it lies there. */
static inline void
world_check_as_is(struct world *w)
{
	folder_unref(w->folder);
	w->folder = folder_load(w->dir, NULL, NULL, WORLD_NOW_US);
	w->plan_input.folder = w->folder;
	w->plan_input.history = w->history;
	w->status.folder = w->folder;
	w->status.plan = plan_build(w, &w->plan_input);
	w->input.status = &w->status;
	world_read(w, SIZE_MAX);
	w->check = check_build(w, &w->input);
}

static inline void
world_check(struct world *w)
{
	world_write_journal(w);
	world_check_as_is(w);
}

static inline size_t
world_count(const struct world *w, enum check_kind kind)
{
	size_t n = 0;

	for (size_t i = 0; i < w->check->n_findings; i++)
		n += w->check->findings[i].kind == kind;
	return n;
}

/* The only finding of that kind, of which there must be one. */
static inline const struct check_finding *
world_finding(const struct world *w, enum check_kind kind)
{
	const struct check_finding *found = NULL;

	for (size_t i = 0; i < w->check->n_findings; i++) {
		if (w->check->findings[i].kind == kind) {
			assert_null(found);
			found = &w->check->findings[i];
		}
	}
	if (found == NULL)
		fail_msg("no finding %s", check_kind_name(kind));
	return found;
}

/* Its commands run one after the other, in a shell; they must work. */
static inline void
world_run(const struct check_finding *f, size_t from, size_t n)
{
	for (size_t i = from; i < from + n; i++) {
		if (system(f->commands[i]) != 0) /* NOLINT: what a person would do */
			fail_msg("%s", f->commands[i]);
	}
}

static inline void
assert_says(const char *text, const char *part)
{
	if (text == NULL || strstr(text, part) == NULL)
		fail_msg("\"%s\" does not say \"%s\"", text ? text : "(nothing)", part);
}

#define TEST(function) \
	cmocka_unit_test_setup_teardown(function, world_setup, world_teardown)
