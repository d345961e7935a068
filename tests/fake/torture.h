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

enum blow {
	BLOW_NONE,
	BLOW_FAIL,   /* the k-th call of libpq fails */
	BLOW_LOSE,   /* the server is gone at that call */
	BLOW_ERROR,  /* the k-th command is answered by an error */
	BLOW_LOCK,   /* by that of a lock that is not to be had */
	BLOW_EARLY,  /* runner_finish_early in the k-th turn of the loop */
	BLOW_CANCEL, /* runner_cancel in that turn */
};

/* Play each scenario as often as there are places for the blow. Fails as cmocka does. */
void torture(enum blow blow);

/* A teardown that tells which play was the last. */
int torture_name_it(void **state);
