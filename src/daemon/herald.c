/* SPDX-License-Identifier: PostgreSQL */
#include "daemon/herald.h"

#include <stdio.h>

#include "base/clock.h"
#include "base/mem.h"
#include "daemon/webhooks.h"
#include "http/json_notice.h"

struct herald {
	struct hooks *hooks;
	struct webhooks *webhooks;
	const struct config *config;
	bool planned; /* the present run has something to do */
	hooks_fn *fn; /* of the run that waits; NULL: none does */
	void *arg;
};

struct herald *
herald_new(
    uv_loop_t *loop, struct metrics *metrics, void (*on_change)(void *arg), void *arg)
{
	struct herald *herald = mem_zero(NULL, struct herald);

	herald->hooks = hooks_new(loop, metrics, on_change, arg);
	herald->webhooks = webhooks_new(loop, metrics, on_change, arg);
	return herald;
}

void
herald_configure(struct herald *herald, const struct config *config,
    const struct password_memory *passwords)
{
	herald->config = config;
	hooks_configure(herald->hooks, config, passwords);
	webhooks_configure(herald->webhooks, config);
}

/* The hook that has to succeed before anything runs is over. */
static void
on_before(void *arg, const struct err *cause)
{
	struct herald *herald = arg;
	hooks_fn *fn = herald->fn;
	struct err err = *cause;

	if (err_is_set(&err)) {
		err.category = CAT_CONFIGURATION;
		err.http_status = 409;
		err.exit_code = EXIT_REFUSED;
		err_hint(&err,
		    "nothing was applied; see what the hook says in the log (of "
		    "migrationctl: --log-level info), then POST /apply");
	}
	herald->fn = NULL;
	fn(herald->arg, &err);
}

/* "migration.run.failed" to the webhooks. */
static void
send_word(struct herald *herald, const char *event, const struct run *run,
    const struct outlook *outlook)
{
	char type[64];
	char *body = NULL;

	if (!webhooks_has(herald->webhooks))
		return;
	(void)snprintf(type, sizeof(type), "migration.run.%s", event);
	body = json_webhook(
	    NULL, type, run, outlook, herald->config->instance, clock_now_us());
	webhooks_add(herald->webhooks, type, run->id, body);
	talloc_free(body);
}

bool
herald_planned(struct herald *herald, const struct run *run,
    const struct outlook *outlook, hooks_fn *fn, void *arg)
{
	bool waits =
	    herald->config->hook_required && hooks_has(herald->hooks, HOOK_BEFORE);

	herald->planned = true;
	herald->fn = waits ? fn : NULL;
	herald->arg = arg;
	hooks_add(
	    herald->hooks, HOOK_BEFORE, run, outlook, waits ? on_before : NULL, herald);
	send_word(herald, "started", run, outlook);
	return waits;
}

/* A hook of a run that is over: how it ended. */
struct epilogue {
	struct run *run;
};

static int
epilogue_free(struct epilogue *epilogue)
{
	run_unref(epilogue->run);
	return 0;
}

static void
on_epilogue(void *arg, const struct err *err)
{
	struct epilogue *epilogue = arg;

	if (err_is_set(err))
		run_add_warning(epilogue->run, err);
	talloc_free(epilogue);
}

static void
add_epilogue(struct herald *herald, enum hook_kind kind, struct run *run)
{
	struct epilogue *epilogue = NULL;

	if (!hooks_has(herald->hooks, kind))
		return;
	epilogue = mem_zero(herald, struct epilogue);
	epilogue->run = run_ref(run);
	talloc_set_destructor(epilogue, epilogue_free);
	hooks_add(herald->hooks, kind, run, NULL, on_epilogue, epilogue);
}

void
herald_ended(struct herald *herald, struct run *run)
{
	if (herald->fn != NULL) /* it did not wait to the end */
		hooks_forget(herald->hooks, herald);
	herald->fn = NULL;
	if (herald->planned)
		add_epilogue(herald, HOOK_AFTER, run);
	/* a lenient phase leaves out what fails, but somebody is to know */
	if (run->outcome != RUN_SUCCEEDED || run->n_failed > 0)
		add_epilogue(herald, HOOK_FAILURE, run);
	if (herald->planned || run->outcome != RUN_SUCCEEDED)
		send_word(herald, run_outcome_name(run->outcome), run, NULL);
	herald->planned = false;
}

bool
herald_is_busy(const struct herald *herald)
{
	return hooks_is_busy(herald->hooks) || webhooks_is_busy(herald->webhooks);
}

void
herald_abandon(struct herald *herald)
{
	hooks_abandon(herald->hooks);
	webhooks_abandon(herald->webhooks);
}

void
herald_close(struct herald *herald)
{
	hooks_close(herald->hooks);
	webhooks_close(herald->webhooks);
	talloc_free(herald);
}
