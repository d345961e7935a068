/* SPDX-License-Identifier: PostgreSQL */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "base/macros.h"
#include "base/mem.h"
#include "scene.h"
#include "torture.h"

struct blows {
	unsigned n_calls;
	unsigned n_commands;
	unsigned n_turns;
};

/* For the line of a run that is not as it must be. */
static struct where {
	const char *scenario;
	unsigned k;
} where;

/* What the person finds who looks at the database. */
static const char *
answer_of(const struct scene *scene)
{
	const struct migration *m = folder_find(scene->folder, scene->run->err.migration);
	struct script *script = script_build(NULL, m, scene->dialect);
	const struct script_statement *st =
	    &script->statements[scene->run->err.statement - 1];
	unsigned n = model_n_ran(st->text, st->len);

	talloc_free(script);
	return n > 0 ? "applied" : "retry";
}

/* The next run completes it, or asks, and completes it once it is answered. */
static void
recover(struct scene *scene)
{
	const struct run_request apply = scene->request;

	scene_play_again(scene);
	if (scene->run->in_doubt) {
		char name[256];

		(void)snprintf(name, sizeof(name), "%s", scene->run->err.migration);
		assert_int_equal(scene->run->outcome, RUN_REFUSED);
		scene->request = (struct run_request){ .operation = PLAN_REPAIR,
			.up_to = name,
			.action = answer_of(scene) };
		scene_play_again(scene);
		assert_int_equal(scene->run->outcome, RUN_SUCCEEDED);
		scene->request = apply;
		scene_play_again(scene);
	}
	assert_int_equal(scene->run->outcome, RUN_SUCCEEDED);
	for (size_t i = 0; i < scene->folder->n_migrations; i++)
		scene_check_migration(scene, scene->folder->migrations[i]);
}

static struct blows
play(const struct scenario *scenario, enum blow blow, unsigned k)
{
	struct scene scene;
	struct blows blows = { 0 };

	where = (struct where){ scenario->name, k };
	scene_begin(&scene, scenario);
	scene.hurries = true;
	if (blow == BLOW_LOCK)
		blow_deal(BLOW_ERROR, k, "55P03");
	else
		blow_deal(blow, k, "XX000");
	if (blow == BLOW_EARLY || blow == BLOW_CANCEL) {
		/* a statement that hangs has to be cancelled, or the scene never ends */
		if (blow == BLOW_CANCEL || scene.act == NULL)
			scene.act =
			    blow == BLOW_EARLY ? runner_finish_early : runner_cancel;
		scene.act_at_turn = k;
	}
	scene_play(&scene);
	blows = (struct blows){
		.n_calls = fakepq_calls(),
		.n_commands = (unsigned)fakepq_n_sent(),
		.n_turns = scene.n_turns,
	};
	if (scenario->recovers)
		recover(&scene);
	scene_end(&scene);
	return blows;
}

void
torture(enum blow blow)
{
	unsigned n_scenarios = 0;
	unsigned n_plays = 0;

	for (size_t i = 0; i < n_scenario_lists; i++)
		for (size_t s = 0; s < *scenario_lists[i].n; s++) {
			const struct scenario *scenario = &scenario_lists[i].scenarios[s];
			struct blows blows = { 0 };
			unsigned n = 0;

			if (scenario->waits)
				continue;
			blows = play(scenario, BLOW_NONE, 0);
			n = blow == BLOW_ERROR || blow == BLOW_LOCK  ? blows.n_commands
			    : blow == BLOW_FAIL || blow == BLOW_LOSE ? blows.n_calls
								     : blows.n_turns;
			for (unsigned k = 1; k <= n; k++)
				(void)play(scenario, blow, k);
			n_plays += n;
			n_scenarios++;
		}
	print_message("# %u scenarios, %u runs\n", n_scenarios, n_plays);
	assert_true(n_plays > n_scenarios * 5);
}

int
torture_name_it(void **state)
{
	(void)state;
	if (where.scenario)
		print_message("# the last was %s, %u\n", where.scenario, where.k);
	return 0;
}
