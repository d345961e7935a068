/* SPDX-License-Identifier: PostgreSQL */
#pragma once

/*
 * A run played on the scripted libpq, and what must be true of it however it ended.
 *
 *	scene_begin(&scene, scenario);
 *	scene_play(&scene);
 *	... the run, the words that were sent ...
 *	scene_end(&scene);
 *
 * Include after cmocka.h.
 */

#include <stdint.h>
#include <uv.h>

#include "core/run.h"
#include "db/runner.h"
#include "model.h"
#include "script.h"

struct scene;

struct scenario {
	const char *name;
	/* Behind script_server and the two migrations; may change what the scene holds. */
	void (*script)(struct scene *scene);
	const char *sent; /* as script_sent has it */
	enum run_outcome outcome;
	enum category category;
	const char *says; /* what text, place and hint of the error hold; NULL: nothing */
	size_t n_applied;
	int n_rows; /* of the history handed over; -1: none */
	bool waits; /* a pause is in it: too slow to be played hundreds of times */
	const char *journal; /* of statements, at the end, as model_journal; NULL: "" */
	/* Whatever happens to the run, others after it come to the end. */
	bool recovers;
};

/* In the order of a run: what comes before the plan, then migrations and the end. */
extern const struct scenario scenarios_open[];
extern const size_t n_scenarios_open;
extern const struct scenario scenarios_upgrade[];
extern const size_t n_scenarios_upgrade;
extern const struct scenario scenarios_apply[];
extern const size_t n_scenarios_apply;
extern const struct scenario scenarios_again[];
extern const size_t n_scenarios_again;
extern const struct scenario scenarios_segment[];
extern const size_t n_scenarios_segment;
extern const struct scenario scenarios_resume[];
extern const size_t n_scenarios_resume;
extern const struct scenario scenarios_phase[];
extern const size_t n_scenarios_phase;
extern const struct scenario scenarios_repair[];
extern const size_t n_scenarios_repair;
extern const struct scenario scenarios_rollback[];
extern const size_t n_scenarios_rollback;
extern const struct scenario scenarios_engine[];
extern const size_t n_scenarios_engine;
extern const struct scenario scenarios_stop[];
extern const size_t n_scenarios_stop;

struct scenario_list {
	const struct scenario *scenarios;
	const size_t *n;
};

/* All of the above. */
extern const struct scenario_list scenario_lists[];
extern const size_t n_scenario_lists;

typedef void scene_act_fn(struct runner *runner, const char *reason);

struct scene {
	/* for the script */
	struct target_params params;
	struct run_request request;
	struct folder *folder;
	struct folder *behind[PHASE_COUNT]; /* folders of the other phases, or NULL */
	scene_act_fn *act;                  /* what is done to the runner, or NULL */
	enum run_state act_in; /* in the first event of that state; RUN_NEW: at once */
	unsigned act_at_turn;  /* or in that turn of the loop */
	bool has_hook;         /* on_planned makes it wait, until the turn after */
	bool hook_hangs;       /* or for ever */
	struct err hook_err;   /* what comes of it */
	const struct dialect *dialect; /* of the server; NULL: PostgreSQL's */
	bool is_resumed;               /* an earlier run did some of it */
	bool hurries;                  /* pauses take no time, but are added up */

	/* what came of it */
	struct run *run;
	struct history *history;
	unsigned n_done;
	unsigned n_planned; /* calls of on_planned */
	unsigned n_turns;
	bool was_alive; /* the connection stood when the run was done */
	bool was_in_transaction;
	uint64_t paused_ms;
	char sent[SCRIPT_WORDS];

	const struct scenario *scenario;
	uv_loop_t loop;
	uv_timer_t tick;
	struct runner *runner;
	bool has_acted;
	/* memory of the runner while it waits for the lock: at first, and at most */
	size_t n_first;
	size_t n_most;
	size_t n_blocks;
};

void scene_begin(struct scene *scene, const struct scenario *scenario);

/* For a script: the folder has this migration alone, 0001_mixed. */
void scene_only(struct scene *scene, const char *text);

/* Start the run and turn the loop until it is done; then check what holds of every run. */
void scene_play(struct scene *scene);

/* The next run, of the same or another request, on what the last one left. */
void scene_play_again(struct scene *scene);

/* Its row is there, and all of its SQL took effect: once. */
void scene_check_migration(const struct scene *scene, const struct migration *m);

/* Let all go, and see that nothing is left. */
void scene_end(struct scene *scene);
