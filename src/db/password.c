/* SPDX-License-Identifier: PostgreSQL */
#include "db/password.h"

#include <assert.h>
#include <string.h>

#include "base/bounds.h"
#include "base/digest.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/secret.h"
#include "base/words.h"
#include "db/child.h"

#define PASSWORD_MAGIC 0x50415353u

struct password {
	unsigned magic;
	uv_timer_t turn; /* an answer that is there at once waits for the loop */
	struct child *child;
	struct err err; /* why there is no child */
	struct password_memory *memory;
	password_fn *fn;
	void *arg;
};

static struct password *
password_of(void *arg)
{
	struct password *password = arg;

	assert(password->magic == PASSWORD_MAGIC);
	return password;
}

static void
on_turn_closed(uv_handle_t *handle)
{
	struct password *password = password_of(handle->data);

	password->magic = 0;
	talloc_free(password);
}

static void
answer(struct password *password, const char *secret, const struct err *err)
{
	password->child = NULL;
	uv_close((uv_handle_t *)&password->turn, on_turn_closed);
	password->fn(password->arg, secret, err);
}

static void
remember(struct password_memory *memory, const char *secret)
{
	if (memory->last)
		explicit_bzero(memory->last, strlen(memory->last));
	talloc_free(memory->last);
	memory->last = mem_strdup(memory, secret);
}

/* Each line that it printed may be the secret, also where there should be but one. */
static void
log_errors(struct password_memory *memory, enum log_level level, char *errors,
    const char *output)
{
	int64_t said;
	void *scratch = mem_context(NULL, "password");
	char *lines = mem_strdup(scratch, output);
	char *rest = lines;

	for (const char *line = strsep(&rest, "\r\n"); line; line = strsep(&rest, "\r\n"))
		secret_cover(errors, &line, 1);
	said = digest_key64(errors, strlen(errors));
	if (level == LOG_DEBUG)
		memory->complaint = 0;
	else if (said == memory->complaint)
		level = LOG_DEBUG;
	else
		memory->complaint = said;
	if (errors[0] != '\0')
		log_event(level, NULL, "password_command says",
		    LOG_FIELDS(LOG_STR("stderr", errors)));
	explicit_bzero(lines, strlen(output));
	talloc_free(scratch);
}

/* What it printed is wiped once it has been used. */
static void
on_end(void *arg, const struct child_end *end)
{
	struct password *password = password_of(arg);
	struct err err = end->err;
	const char *secret = end->output;
	const char *problem = secret_take(end->output, end->output_len);

	if (!err_is_set(&err) && problem)
		err_set(&err, CAT_CONFIGURATION, "its output %s", problem);
	if (!err_is_set(&err))
		remember(password->memory, secret);
	log_errors(password->memory, err_is_set(&err) ? LOG_WARNING : LOG_DEBUG,
	    end->errors, end->output);
	if (err_is_set(&err)) {
		err_wrap(&err, "password_command");
		err_hint(&err,
		    "run it by hand as the user of migrationd; what it wrote to standard "
		    "error is in the log (of migrationctl: --log-level warning)");
	}
	answer(password, err_is_set(&err) ? NULL : secret, &err);
	explicit_bzero(end->output, end->output_len);
}

static void
on_turn(uv_timer_t *timer)
{
	struct password *password = password_of(timer->data);
	struct err err = password->err;

	answer(password, NULL, &err);
}

struct password *
password_ask(uv_loop_t *loop, const char *command, int64_t timeout_ms,
    struct password_memory *memory, password_fn *fn, void *arg)
{
	struct password *password = mem_zero(NULL, struct password);
	struct child_params params = {
		.timeout_ms = timeout_ms,
		.max_output = BOUND_SECRET_BYTES,
		.strict = true,
	};
	char **argv = NULL;

	password->magic = PASSWORD_MAGIC;
	password->memory = memory;
	password->fn = fn;
	password->arg = arg;
	(void)uv_timer_init(loop, &password->turn);
	password->turn.data = password;
	if (words_split(password, command, &argv, &password->err) == 0) {
		params.argv = argv;
		password->child =
		    child_start(loop, &params, on_end, password, &password->err);
	}
	if (!password->child) {
		err_wrap(&password->err, "password_command");
		(void)uv_timer_start(&password->turn, on_turn, 0, 0);
	}
	return password;
}

void
password_drop(struct password *password)
{
	if (!password)
		return;
	child_close(password->child);
	uv_close((uv_handle_t *)&password->turn, on_turn_closed);
}
