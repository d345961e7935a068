/* SPDX-License-Identifier: PostgreSQL */
#pragma once

/*
 * One thing goes wrong, at each place where it can. Runs have programs of their own for that
 * (torture.h); what is shorter does it so, with cmocka.h included first:
 *
 *	static unsigned
 *	play(enum blow blow, unsigned k)
 *	{
 *		blow_deal(blow, k, "42501");
 *		...
 *		return blow_places(blow);
 *	}
 *
 *	blow_everywhere(play, 10);
 */

#include <stddef.h>

#include "fakepq.h"

enum blow {
	BLOW_NONE,
	BLOW_FAIL,   /* the k-th call of libpq fails */
	BLOW_LOSE,   /* the server is gone at that call */
	BLOW_ERROR,  /* the k-th command is answered by an error */
	BLOW_LOCK,   /* of a run: by that of a lock that is not to be had */
	BLOW_EARLY,  /* of a run: runner_finish_early in the k-th turn of the loop */
	BLOW_CANCEL, /* of a run: runner_cancel in that turn */
};

/* To libpq; `sqlstate` is that of the error. */
static inline void
blow_deal(enum blow blow, unsigned k, const char *sqlstate)
{
	fakepq_fail_at(blow == BLOW_FAIL ? k : 0);
	fakepq_lose_at(blow == BLOW_LOSE ? k : 0);
	fakepq_error_at(blow == BLOW_ERROR ? k : 0, sqlstate);
}

/* How many places there were. */
static inline unsigned
blow_places(enum blow blow)
{
	return blow == BLOW_ERROR ? (unsigned)fakepq_n_sent() : fakepq_calls();
}

/* Until there is no such place any more; there are more than `least`. */
static inline void
blow_everywhere(unsigned (*play)(enum blow blow, unsigned k), unsigned least)
{
	static const enum blow blows[] = { BLOW_FAIL, BLOW_LOSE, BLOW_ERROR };

	(void)play(BLOW_NONE, 0);
	for (size_t i = 0; i < sizeof(blows) / sizeof(blows[0]); i++) {
		unsigned k = 1;

		while (play(blows[i], k) >= k)
			k++;
		print_message("# %u runs\n", k);
		assert_true(k > least);
	}
}
