/* SPDX-License-Identifier: PostgreSQL */
#include "ctl/ask.h"

#include <signal.h>
#include <string.h>

#include "base/clock.h"
#include "base/mem.h"

#define RETRY_MS      250
#define INTERRUPTIONS 2

/*
 * How long handles may take to close: a question to a name server, or a cancel request
 * that nobody answers, blocks a thread and cannot be taken back.
 */
#define CLOSE_US INT64_C(5000000)

struct ask {
	uv_loop_t loop;
	uv_timer_t timer;
	uv_signal_t signals[INTERRUPTIONS];
	unsigned interrupts;
	int64_t patience_until_us; /* monotonic */
	const struct ask_backend *backend;
	void *state;
};

static void
on_timer(uv_timer_t *timer)
{
	(void)timer;
}

static void
on_signal(uv_signal_t *signal, int number)
{
	struct ask *ask = signal->data;

	(void)number;
	ask->interrupts++;
	if (ask->backend && ask->backend->interrupt)
		ask->backend->interrupt(ask->state, ask->interrupts);
}

struct ask *
ask_new(const void *ctx, int64_t patience_ms)
{
	struct ask *ask = mem_zero(ctx, struct ask);

	uv_loop_init(&ask->loop);
	uv_timer_init(&ask->loop, &ask->timer);
	for (size_t i = 0; i < INTERRUPTIONS; i++) {
		uv_signal_init(&ask->loop, &ask->signals[i]);
		ask->signals[i].data = ask;
		uv_unref((uv_handle_t *)&ask->signals[i]);
	}
	ask->patience_until_us = clock_mono_us() + patience_ms * 1000;
	return ask;
}

/* Signals from here on: a private server that was started before inherits no handler. */
void
ask_set_backend(struct ask *ask, const struct ask_backend *backend, void *state)
{
	static const int numbers[INTERRUPTIONS] = { SIGINT, SIGTERM };

	ask->backend = backend;
	ask->state = state;
	for (size_t i = 0; i < INTERRUPTIONS; i++)
		uv_signal_start(&ask->signals[i], on_signal, numbers[i]);
}

uv_loop_t *
ask_loop(struct ask *ask)
{
	return &ask->loop;
}

bool
ask_is_local(const struct ask *ask)
{
	return ask->backend->is_busy != NULL;
}

unsigned
ask_interrupts(const struct ask *ask)
{
	return ask->interrupts;
}

int
ask_check_interrupt(const struct ask *ask, struct err *err)
{
	if (ask->interrupts == 0)
		return 0;
	err_set(err, CAT_CANCELLED, "interrupted");
	err->exit_code = ASK_INTERRUPTED;
	return -1;
}

void
ask_turn(struct ask *ask, int64_t ms)
{
	uv_update_time(&ask->loop); /* it may not have turned for a while */
	uv_timer_start(&ask->timer, on_timer, (uint64_t)ms, 0);
	uv_run(&ask->loop, UV_RUN_ONCE);
	uv_timer_stop(&ask->timer);
}

void
ask_pause(struct ask *ask, int64_t ms)
{
	int64_t until_us = clock_mono_us() + ms * 1000;
	unsigned before = ask->interrupts;
	int64_t left_us = ms * 1000;

	for (; left_us > 0 && ask->interrupts == before;
	     left_us = until_us - clock_mono_us())
		ask_turn(ask, (left_us + 999) / 1000);
}

/* ---- again, while there is patience ---- */

/* Whether the same question may have another answer soon. */
static bool
is_passing(const struct answer *answer)
{
	const json_t *again = json_object_get(answer->document, "retryable");

	/* refused because another run is in progress: it names that run */
	if (answer->status == 409 && answer->location)
		return true;
	return answer->status >= 429 && json_is_true(again);
}

static int
free_document(struct answer *holder)
{
	json_decref(holder->document);
	return 0;
}

/* Read the answer as JSON; the document lives as long as ctx. */
static void
read_document(const void *ctx, struct answer *answer)
{
	struct answer *holder;

	answer->document = json_loadb(answer->text, answer->len, 0, NULL);
	if (!answer->document)
		return;
	holder = mem_zero(ctx, struct answer);
	holder->document = answer->document;
	talloc_set_destructor(holder, free_document);
}

/*
 * A rollback by steps counts from what is there now: one that has begun and is asked for again
 * undoes more than was asked for.
 */
static bool
is_for_once(const struct question *question)
{
	static const char path[] = "/rollback";
	size_t len = strlen(path);

	return strcmp(question->method, "POST") == 0 &&
	    strncmp(question->path, path, len) == 0 &&
	    (question->path[len] == '\0' || question->path[len] == '?');
}

/*
 * Whether an answer that may be another one soon says that nothing has begun. A daemon that stops
 * lets go with CANCELLED, and names no run, whoever waits for the end of one.
 */
static bool
is_refusal(const struct answer *answer)
{
	const char *category =
	    json_string_value(json_object_get(answer->document, "category"));

	if (json_object_get(answer->document, "run_id"))
		return false;
	if (answer->status == 503)
		return !category || strcmp(category, category_name(CAT_CANCELLED)) != 0;
	return answer->status == 409 || answer->status == 429;
}

/* Whether to put it again. `rc`: what came of it, with `answer` or `err`. */
static bool
may_ask_again(const struct question *question, int rc, const struct answer *answer,
    const struct err *err)
{
	if (is_for_once(question))
		return rc == 0 && is_passing(answer) && is_refusal(answer);
	return rc == 0 ? is_passing(answer) : category_is_retryable(err->category);
}

/* Whether there is patience left; then some of it is spent. */
static bool
spend_patience(struct ask *ask, int64_t ms)
{
	if (clock_mono_us() >= ask->patience_until_us || ask->interrupts > 0)
		return false;
	ask_pause(ask, ms);
	return true;
}

bool
ask_may_repeat(struct ask *ask, const struct question *question, int64_t pause_ms)
{
	return !is_for_once(question) && spend_patience(ask, pause_ms) &&
	    ask->interrupts == 0;
}

static int
put_while_patient(struct ask *ask, const struct question *question, const void *ctx,
    struct answer *answer, struct err *err)
{
	for (;;) {
		int rc;

		*answer = (struct answer){ 0 };
		err_clear(err);
		rc = ask->backend->put(ask->state, question, ctx, answer, err);
		if (rc == 0)
			read_document(ctx, answer);
		if (!may_ask_again(question, rc, answer, err) ||
		    !spend_patience(ask, RETRY_MS))
			return rc;
	}
}

/*
 * What is put once waits for somebody who listens with a question that changes nothing: a
 * connection that breaks later does not say how far the other side has come.
 */
int
ask_put(struct ask *ask, const struct question *question, const void *ctx,
    struct answer *answer, struct err *err)
{
	static const struct question first = { "GET", "/version", NULL, true };

	if (is_for_once(question) && put_while_patient(ask, &first, ctx, answer, err) < 0)
		return -1;
	return put_while_patient(ask, question, ctx, answer, err);
}

/* ---- the end ---- */

static void
close_handle(uv_handle_t *handle, void *arg)
{
	(void)arg;
	if (!uv_is_closing(handle))
		uv_close(handle, NULL);
}

void
ask_close(struct ask *ask)
{
	int64_t until_us;

	if (!ask)
		return;
	if (ask->backend && ask->backend->close)
		ask->backend->close(ask->state);
	until_us = clock_mono_us() + CLOSE_US;
	while (uv_loop_alive(&ask->loop) && clock_mono_us() < until_us)
		ask_turn(ask, 50);
	uv_walk(&ask->loop, close_handle, NULL);
	uv_run(&ask->loop, UV_RUN_NOWAIT);
	/* what is left is of a thread that still blocks: it ends with the process */
	if (uv_loop_close(&ask->loop) < 0)
		return;
	if (ask->backend)
		ask->backend->free(ask->state);
	talloc_free(ask);
}
