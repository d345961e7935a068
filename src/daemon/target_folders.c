/* SPDX-License-Identifier: PostgreSQL */
#include "base/file.h"
#include "daemon/target_internal.h"

static bool
has_phase(const struct target *target, enum phase phase)
{
	return target->run_folders[phase] != NULL &&
	    phase_is_asked(target->run->asked_phases, phase);
}

static bool
compare_folders(struct target *target)
{
	bool equal = true;

	for (unsigned p = 0; p < PHASE_COUNT && equal; p++) {
		if (!has_phase(target, p))
			continue;
		struct folder *now = config_load_folder(target->config, p);

		equal = now != NULL && folder_equal(target->run_folders[p], now);
		folder_unref(now);
	}
	return equal;
}

/*
 * Many may ask at once: the folders are read again only when what can be seen without reading
 * them is another.
 */
bool
target_has_present_folders(struct target *target)
{
	unsigned long long stamp = 0;

	for (unsigned p = 0; p < PHASE_COUNT; p++) {
		if (has_phase(target, p))
			stamp =
			    stamp * 31 + file_stamp_folder(target->run_folders[p]->path);
	}
	if (stamp != target->compared_stamp) {
		target->compared_stamp = stamp;
		target->compared_equal = compare_folders(target);
	}
	return target->compared_equal;
}
