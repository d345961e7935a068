/* SPDX-License-Identifier: PostgreSQL */
#pragma once

/*
 * Every scenario again and again, each time with another thing gone wrong. What must be
 * true however a run ends is in scene_play and scene_end. Several programs share the work,
 * which takes longer than all other tests of code: they run side by side.
 *
 *	static void
 *	test_calls_fail(void **state)
 *	{
 *		torture(BLOW_FAIL);
 *	}
 */

#include "blow.h"

/* Play each scenario as often as there are places for the blow. Fails as cmocka does. */
void torture(enum blow blow);

/* A teardown that tells which play was the last. */
int torture_name_it(void **state);
