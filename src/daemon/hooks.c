/* SPDX-License-Identifier: PostgreSQL */
#include "daemon/hooks.h"

#include <assert.h>
#include <string.h>
#include <unistd.h>

#include "base/bounds.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/secret.h"
#include "base/words.h"
#include "daemon/secrets.h"
#include "db/child.h"
#include "http/json_notice.h"

#define HOOKS_MAGIC 0x484f4f4bu

/* One that waits, or runs. */
struct hook {
	struct hook *next;
	enum hook_kind kind;
	char *run; /* id */
	char **environ;
	char *input;
	struct err err; /* why it is not run at all */
	hooks_fn *fn;
	void *arg;
};

struct hooks {
	unsigned magic;
	uv_loop_t *loop;
	uv_timer_t turn; /* the next one is started from the loop */
	struct metrics *metrics;
	void (*on_change)(void *arg);
	void *arg;
	const struct config *config;
	const struct password_memory *passwords;
	struct hook *first; /* it runs when there is a child */
	struct child *child;
};

static struct hooks *
hooks_of(void *arg)
{
	struct hooks *hooks = arg;

	assert(hooks->magic == HOOKS_MAGIC);
	return hooks;
}

static const char *
command_of(const struct hooks *hooks, enum hook_kind kind)
{
	const struct config *config = hooks->config;
	const char *const commands[] = {
		[HOOK_BEFORE] = config->hook_before,
		[HOOK_AFTER] = config->hook_after,
		[HOOK_FAILURE] = config->hook_failure,
	};

	return commands[kind];
}

bool
hooks_has(const struct hooks *hooks, enum hook_kind kind)
{
	return command_of(hooks, kind) != NULL;
}

/* ---- what it prints ---- */

static void
log_lines(const struct hook *hook, char *output, const char *stream)
{
	char *rest = output;
	unsigned n = 0;

	for (char *line = strsep(&rest, "\n"); line; line = strsep(&rest, "\n")) {
		if (line[0] == '\0')
			continue;
		if (++n > BOUND_HOOK_LINES)
			break;
		log_info("hook says", LOG_STR("hook", hook_name(hook->kind)),
		    LOG_STR(stream, line), LOG_STR("run", hook->run));
	}
	if (n > BOUND_HOOK_LINES)
		log_info("the rest of what the hook says is left out",
		    LOG_STR("hook", hook_name(hook->kind)), LOG_STR("run", hook->run));
}

/* It may show what it was not meant to: a hook with sh -x, or a failing pg_dump. */
static void
log_output(
    const struct hooks *hooks, const struct hook *hook, const struct child_end *end)
{
	void *scratch = mem_context(NULL, "hook output");
	size_t n = 0;
	const char *const *secrets =
	    secrets_of(scratch, hooks->config, hooks->passwords, &n);

	secret_cover(end->output, secrets, n);
	secret_cover(end->errors, secrets, n);
	log_lines(hook, end->output, "stdout");
	log_lines(hook, end->errors, "stderr");
	if (end->cut)
		log_info("the hook says more than is kept",
		    LOG_STR("hook", hook_name(hook->kind)), LOG_STR("run", hook->run));
	talloc_free(scratch);
}

/* ---- one after the other ---- */

static void on_turn(uv_timer_t *timer);

/* The first one is over: tell who waits, and go on with the next. */
static void
finish_first(struct hooks *hooks, const struct err *err)
{
	struct hook *hook = hooks->first;

	hooks->first = hook->next;
	hooks->child = NULL;
	hooks->metrics->hooks[hook->kind]++;
	if (err_is_set(err)) {
		hooks->metrics->hook_failures[hook->kind]++;
		log_warning_with(err, "hook failed",
		    LOG_STR("hook", hook_name(hook->kind)), LOG_STR("run", hook->run));
	} else {
		log_info("hook succeeded", LOG_STR("hook", hook_name(hook->kind)),
		    LOG_STR("run", hook->run));
	}
	if (hooks->first)
		(void)uv_timer_start(&hooks->turn, on_turn, 0, 0);
	if (hook->fn)
		hook->fn(hook->arg, err);
	talloc_free(hook);
	hooks->on_change(hooks->arg);
}

static void
on_end(void *arg, const struct child_end *end)
{
	struct hooks *hooks = hooks_of(arg);
	const struct hook *hook = hooks->first;
	struct err err = end->err;

	log_output(hooks, hook, end);
	if (err_is_set(&err)) {
		err.category = CAT_CONFIGURATION; /* the network has no part in it */
		err_wrap(&err, "hook_%s", hook_name(hook->kind));
	}
	finish_first(hooks, &err);
}

static int
start_first(struct hooks *hooks, struct err *err)
{
	struct hook *hook = hooks->first;
	const char *command = command_of(hooks, hook->kind);
	struct child_params params = {
		.environ = hook->environ,
		.input = hook->input,
		.input_len = strlen(hook->input),
		.timeout_ms = hooks->config->hook_timeout_ms,
		.max_output = BOUND_CHILD_OUTPUT,
	};
	char **argv = NULL;

	if (err_is_set(&hook->err)) {
		*err = hook->err;
		return -1;
	}
	/* a reload may have taken it away */
	if (!command)
		return err_set(err, CAT_CONFIGURATION, "it is not configured any more");
	if (words_split(hook, command, &argv, err) < 0)
		return -1;
	params.argv = argv;
	log_debug("hook begins", LOG_STR("hook", hook_name(hook->kind)),
	    LOG_STR("run", hook->run));
	hooks->child = child_start(hooks->loop, &params, on_end, hooks, err);
	return hooks->child ? 0 : -1;
}

static void
on_turn(uv_timer_t *timer)
{
	struct hooks *hooks = hooks_of(timer->data);
	struct err err = { 0 };

	if (start_first(hooks, &err) < 0) {
		err_wrap(&err, "hook_%s", hook_name(hooks->first->kind));
		finish_first(hooks, &err);
	}
}

void
hooks_add(struct hooks *hooks, enum hook_kind kind, const struct run *run,
    const struct outlook *outlook, hooks_fn *fn, void *arg)
{
	struct hook *hook = NULL;
	struct hook **end = &hooks->first;
	size_t n = 0;

	if (!hooks_has(hooks, kind))
		return;
	for (; *end; end = &(*end)->next)
		n++;
	hook = mem_zero(hooks, struct hook);
	hook->kind = kind;
	hook->run = mem_strdup(hook, run->id);
	hook->environ = hook_environ(hook, kind, run, outlook, environ);
	hook->input = json_hook(hook, hook_name(kind), run, outlook);
	hook->fn = fn;
	hook->arg = arg;
	if (n >= BOUND_HOOKS)
		err_set(&hook->err, CAT_CONFIGURATION,
		    "%zu hooks wait already, this one is not run", n);
	*end = hook;
	if (n == 0)
		(void)uv_timer_start(&hooks->turn, on_turn, 0, 0);
}

void
hooks_forget(struct hooks *hooks, const void *arg)
{
	struct hook **at = &hooks->first;
	struct hook *hook = NULL;

	while (*at && (!(*at)->fn || (*at)->arg != arg))
		at = &(*at)->next;
	hook = *at;
	if (!hook)
		return;
	log_warning("hook dropped: its run is over",
	    LOG_STR("hook", hook_name(hook->kind)), LOG_STR("run", hook->run));
	if (hook == hooks->first) {
		child_close(hooks->child);
		hooks->child = NULL;
		(void)uv_timer_stop(&hooks->turn);
		if (hook->next)
			(void)uv_timer_start(&hooks->turn, on_turn, 0, 0);
	}
	*at = hook->next;
	talloc_free(hook);
}

bool
hooks_is_busy(const struct hooks *hooks)
{
	return hooks->first != NULL;
}

void
hooks_abandon(struct hooks *hooks)
{
	child_close(hooks->child);
	hooks->child = NULL;
	(void)uv_timer_stop(&hooks->turn);
	while (hooks->first) {
		struct hook *hook = hooks->first;

		log_warning("hook dropped: migrationd is stopping",
		    LOG_STR("hook", hook_name(hook->kind)), LOG_STR("run", hook->run));
		hooks->first = hook->next;
		talloc_free(hook);
	}
}

struct hooks *
hooks_new(
    uv_loop_t *loop, struct metrics *metrics, void (*on_change)(void *arg), void *arg)
{
	struct hooks *hooks = mem_zero(NULL, struct hooks);

	hooks->magic = HOOKS_MAGIC;
	hooks->loop = loop;
	hooks->metrics = metrics;
	hooks->on_change = on_change;
	hooks->arg = arg;
	(void)uv_timer_init(loop, &hooks->turn);
	hooks->turn.data = hooks;
	return hooks;
}

void
hooks_configure(struct hooks *hooks, const struct config *config,
    const struct password_memory *passwords)
{
	hooks->config = config;
	hooks->passwords = passwords;
}

static void
on_turn_closed(uv_handle_t *handle)
{
	struct hooks *hooks = hooks_of(handle->data);

	hooks->magic = 0;
	talloc_free(hooks);
}

void
hooks_close(struct hooks *hooks)
{
	hooks_abandon(hooks);
	uv_close((uv_handle_t *)&hooks->turn, on_turn_closed);
}
