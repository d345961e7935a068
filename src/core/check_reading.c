/* SPDX-License-Identifier: PostgreSQL */
#include "core/check_reading.h"

#include <string.h>

#include "base/digest.h"
#include "base/mem.h"

/* Digests that are kept from check to check; files that change are few. */
#define EOLS_KEPT 256

/* What tells one folder from another. Not when it was scanned: any scan may be the next. */
struct folder_look {
	const struct layout *layout;
	dev_t device;
	ino_t inode;
	unsigned long long stamp;
};

struct check_reading {
	bool is_busy;
	struct snapshot_list *snapshots;    /* that were read; NULL: none */
	struct snapshot_reading *under_way; /* NULL: all are read */
	bool is_listed;                     /* what there is to read, */
	struct folder_look folder;          /* in that folder */
	struct eol **eols;                  /* the owner of each of them */
	size_t n_eols;
};

struct check_reading *
check_reading_new(const void *ctx)
{
	return mem_zero(ctx, struct check_reading);
}

/* ---- snapshots ---- */

static bool
is_listed_for(const struct check_reading *reading, const struct folder *folder)
{
	const struct folder_look *look = &reading->folder;

	return reading->is_listed && look->layout == folder->layout &&
	    look->device == folder->device && look->inode == folder->inode &&
	    look->stamp == folder->stamp;
}

static void
list_snapshots(struct check_reading *reading, const struct folder *folder)
{
	reading->is_listed = true;
	reading->folder = (struct folder_look){
		.layout = folder->layout,
		.device = folder->device,
		.inode = folder->inode,
		.stamp = folder->stamp,
	};
	talloc_free(reading->under_way);
	reading->under_way = snapshot_reading_new(reading, folder, reading->snapshots);
	/* what an earlier check has read is of a folder that had some */
	if (reading->under_way == NULL)
		TALLOC_FREE(reading->snapshots);
}

static bool
read_snapshots(struct check_reading *reading, const struct folder *folder, size_t *budget)
{
	struct snapshot_list *known;

	if (!is_listed_for(reading, folder))
		list_snapshots(reading, folder);
	if (reading->under_way == NULL)
		return true;
	if (!snapshot_reading_step(reading->under_way, budget))
		return false;
	known = reading->snapshots;
	reading->snapshots = snapshot_reading_end(reading->under_way, reading);
	reading->under_way = NULL;
	talloc_free(known);
	return true;
}

/* ---- files that changed ---- */

static struct eol *
find_eol(const struct check_reading *reading, const struct migration *m)
{
	for (size_t i = 0; i < reading->n_eols; i++) {
		if (strcmp(eol_checksum(reading->eols[i]), m->checksum) == 0)
			return reading->eols[i];
	}
	return NULL;
}

static struct eol *
add_eol(struct check_reading *reading, const struct migration *m)
{
	size_t n = reading->n_eols;

	/* full at each power of two */
	if ((n & (n - 1)) == 0)
		reading->eols =
		    mem_grow(reading, reading->eols, struct eol *, n == 0 ? 1 : 2 * n);
	reading->eols[n] = eol_new(reading->eols, m);
	return reading->eols[reading->n_eols++];
}

/* Another tool's checksum may be none of these. */
static bool
is_hashed(const struct plan_item *item)
{
	return item->state == MIGRATION_MODIFIED &&
	    strlen(item->recorded_checksum) == DIGEST_HEX - 1;
}

static bool
hash_phase(struct check_reading *reading, const struct plan *plan, size_t *budget)
{
	for (size_t i = 0; plan != NULL && i < plan->n_items; i++) {
		const struct migration *m = plan->items[i].migration;
		struct eol *eol = NULL;

		if (!is_hashed(&plan->items[i]))
			continue;
		eol = find_eol(reading, m);
		if (!eol_step(eol != NULL ? eol : add_eol(reading, m), m, budget))
			return false;
	}
	return true;
}

static bool
hash_all(struct check_reading *reading, const struct status *status, size_t *budget)
{
	if (!hash_phase(reading, status->plan, budget))
		return false;
	for (unsigned p = PHASE_SCHEMA + 1; p < PHASE_COUNT; p++) {
		if (!hash_phase(reading, status->phases[p].plan, budget))
			return false;
	}
	return true;
}

/* ---- all of it ---- */

void
check_reading_begin(struct check_reading *reading)
{
	if (reading->is_busy)
		return;
	reading->is_busy = true;
	reading->is_listed = false;
	if (reading->n_eols < EOLS_KEPT)
		return;
	TALLOC_FREE(reading->eols);
	reading->n_eols = 0;
}

bool
check_reading_is_busy(const struct check_reading *reading)
{
	return reading->is_busy;
}

bool
check_reading_step(
    struct check_reading *reading, const struct status *status, size_t budget)
{
	if (!reading->is_busy)
		return true;
	reading->is_busy = !read_snapshots(reading, status->folder, &budget) ||
	    !hash_all(reading, status, &budget);
	return !reading->is_busy;
}

const struct snapshot_list *
check_reading_snapshots(const struct check_reading *reading)
{
	return reading->snapshots;
}

const struct eol *
check_reading_eol(const struct check_reading *reading, const struct migration *m)
{
	return find_eol(reading, m);
}
