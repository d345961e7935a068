/* SPDX-License-Identifier: PostgreSQL */
#include "db/child.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/mem.h"
#include "db/child_fork.h"

#define CHILD_MAGIC 0x4348494cu

/* From SIGTERM, when its time is over, to SIGKILL. */
#define KILL_AFTER_MS 2000

#define CHUNK 4096

enum {
	STREAM_IN,
	STREAM_OUT,
	STREAM_ERR,
	STREAMS
};

/* Our end of one of its standard streams. */
struct stream {
	uv_poll_t poll;
	struct child *child;
	int fd;
	char *data;  /* kept of what it wrote; or what it is to read */
	size_t len;  /* of data */
	size_t done; /* written to it */
	bool cut;
	bool over; /* at its end, or closed by the other side */
};

struct child {
	unsigned magic;
	uv_signal_t signal; /* SIGCHLD */
	uv_timer_t timer;
	struct stream streams[STREAMS];
	unsigned n_handles; /* not yet closed; the last one frees us */

	pid_t guard; /* 0: it has ended */
	pid_t group; /* its number then, which the others of the group keep alive */
	char *program;
	int64_t timeout_ms;
	size_t max_output;
	bool strict;
	bool late;    /* its time was over */
	bool chatty;  /* it printed too much, and may not */
	child_fn *fn; /* NULL: nobody wants to know */
	void *arg;
};

static struct child *
child_of(void *arg)
{
	struct child *child = arg;

	assert(child->magic == CHILD_MAGIC);
	return child;
}

static void
release(struct child *child)
{
	if (--child->n_handles > 0)
		return;
	child->magic = 0;
	talloc_free(child);
}

static void
on_handle_closed(uv_handle_t *handle)
{
	release(child_of(handle->data));
}

static void
on_stream_closed(uv_handle_t *handle)
{
	struct stream *stream = handle->data;

	close(stream->fd);
	release(child_of(stream->child));
}

/* It has been reaped: let go of all handles. */
static void
close_handles(struct child *child)
{
	uv_close((uv_handle_t *)&child->signal, on_handle_closed);
	uv_close((uv_handle_t *)&child->timer, on_handle_closed);
	for (size_t i = 0; i < STREAMS; i++)
		uv_close((uv_handle_t *)&child->streams[i].poll, on_stream_closed);
}

/* ---- the streams ---- */

static void
stream_over(struct stream *stream)
{
	stream->over = true;
	(void)uv_poll_stop(&stream->poll);
}

/* Keep what fits. False once there was more. */
static bool
keep(struct stream *stream, const char *data, size_t len)
{
	size_t room = stream->child->max_output - stream->len;

	if (len > room) {
		stream->cut = true;
		len = room;
	}
	memcpy(stream->data + stream->len, data, len);
	stream->len += len;
	stream->data[stream->len] = '\0';
	return !stream->cut;
}

/* All that is there to be read now, but not for ever: a program may write faster than we read. */
static void
read_stream(struct stream *stream)
{
	struct child *child = stream->child;
	char chunk[CHUNK];

	for (int i = 0; i < 16 && !stream->over; i++) {
		ssize_t n = read(stream->fd, chunk, sizeof(chunk));

		if (n < 0 && (errno == EAGAIN || errno == EINTR))
			return;
		if (n <= 0) {
			stream_over(stream);
			return;
		}
		if (!keep(stream, chunk, (size_t)n) && child->strict &&
		    stream == &child->streams[STREAM_OUT] && !child->chatty) {
			child->chatty = true;
			if (child->guard > 0)
				child_signal(child->guard, SIGKILL);
		}
	}
}

/* A program that does not read what it is given is none the worse for it. */
static void
write_stream(struct stream *stream)
{
	ssize_t n =
	    write(stream->fd, stream->data + stream->done, stream->len - stream->done);

	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return;
	stream->done += n > 0 ? (size_t)n : 0;
	if (n >= 0 && stream->done < stream->len)
		return;
	/* so that it sees the end of what it reads; the number is kept until the handle closes */
	stream_over(stream);
	int null = open("/dev/null", O_WRONLY | O_CLOEXEC);

	if (null >= 0) {
		(void)dup3(null, stream->fd, O_CLOEXEC);
		close(null);
	}
}

static void
on_stream(uv_poll_t *poll, int status UNUSED, int events UNUSED)
{
	struct stream *stream = poll->data;
	struct child *child = child_of(stream->child);

	if (stream == &child->streams[STREAM_IN])
		write_stream(stream);
	else
		read_stream(stream);
}

/* ---- the end ---- */

static void
judge(const struct child *child, struct child_end *end)
{
	char span[CLOCK_TEXT];
	struct err *err = &end->err;
	int code = end->exit_code;

	if (child->chatty)
		err_set(err, CAT_CONFIGURATION, "%s printed more than %zu bytes",
		    child->program, child->max_output);
	else if (child->late)
		err_set(err, CAT_NETWORK_ERROR, "%s did not end within %s",
		    child->program,
		    clock_format_span(child->timeout_ms * 1000, span, sizeof(span)));
	else if (code == 127 || code == 126)
		err_set(err, CAT_CONFIGURATION, "%s ended with exit code %d: %s",
		    child->program, code,
		    code == 127 ? "there is no such program" : "it cannot be executed");
	else if (code > 128)
		err_set(err, CAT_NETWORK_ERROR, "%s was ended by signal %d (%s)",
		    child->program, code - 128, strsignal(code - 128));
	else if (code != 0)
		err_set(err, CAT_NETWORK_ERROR, "%s ended with exit code %d",
		    child->program, code);
}

static void
tell(struct child *child, int status)
{
	const struct stream *out = &child->streams[STREAM_OUT];
	const struct stream *errors = &child->streams[STREAM_ERR];
	struct child_end end = {
		.exit_code =
		    WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status),
		.output = out->data,
		.output_len = out->len,
		.errors = errors->data,
		.cut = out->cut || errors->cut,
	};
	child_fn *fn = child->fn;

	child->fn = NULL;
	if (!fn)
		return;
	judge(child, &end);
	fn(child->arg, &end);
}

/*
 * As the first process of a container we inherit what the dead have left: so the handles
 * stay until the last of the group is reaped. Elsewhere that is init's.
 */
static void
reap_group(struct child *child)
{
	while (waitpid(-child->group, NULL, WNOHANG) > 0)
		continue;
	if (getpid() != 1 || kill(-child->group, 0) < 0)
		close_handles(child);
}

static void
on_sigchld(uv_signal_t *signal, int number UNUSED)
{
	struct child *child = child_of(signal->data);
	siginfo_t info = { 0 };
	int status = 0;

	if (child->guard == 0) {
		reap_group(child);
		return;
	}
	if (waitid(P_PID, (id_t)child->guard, &info, WEXITED | WNOHANG | WNOWAIT) < 0 ||
	    info.si_pid != child->guard)
		return;
	/* what it has left running; before the number is free for others */
	(void)kill(-child->guard, SIGKILL);
	(void)waitpid(child->guard, &status, 0);
	child->group = child->guard;
	child->guard = 0;
	/* what it wrote last: its end may be seen first */
	read_stream(&child->streams[STREAM_OUT]);
	read_stream(&child->streams[STREAM_ERR]);
	(void)uv_timer_stop(&child->timer);
	tell(child, status);
	reap_group(child);
}

static void
on_timer(uv_timer_t *timer)
{
	struct child *child = child_of(timer->data);

	child_signal(child->guard, child->late ? SIGKILL : SIGTERM);
	child->late = true;
	(void)uv_timer_start(timer, on_timer, KILL_AFTER_MS, 0);
}

void
child_close(struct child *child)
{
	if (!child || child->guard == 0)
		return;
	child->fn = NULL;
	child_signal(child->guard, SIGKILL);
}

/* ---- the beginning ---- */

static void
close_pipes(const struct child_pipes *pipes)
{
	for (int i = 0; i < STREAMS; i++) {
		if (pipes->ours[i] >= 0)
			close(pipes->ours[i]);
		if (pipes->theirs[i] >= 0)
			close(pipes->theirs[i]);
	}
}

static int
open_pipes(struct child_pipes *pipes)
{
	*pipes = (struct child_pipes){ { -1, -1, -1 }, { -1, -1, -1 } };
	for (int i = 0; i < STREAMS; i++) {
		int ends[2];

		if (pipe2(ends, O_CLOEXEC) < 0)
			return -1;
		pipes->ours[i] = ends[i == STREAM_IN ? 1 : 0];
		pipes->theirs[i] = ends[i == STREAM_IN ? 0 : 1];
		if (fcntl(pipes->ours[i], F_SETFL, O_NONBLOCK) < 0)
			return -1;
	}
	return 0;
}

static void
watch_stream(struct child *child, uv_loop_t *loop, size_t i, int fd)
{
	struct stream *stream = &child->streams[i];

	stream->child = child;
	stream->fd = fd;
	(void)uv_poll_init(loop, &stream->poll, fd);
	stream->poll.data = stream;
	if (i != STREAM_IN)
		stream->data = mem_array(child, char, child->max_output + 1);
	(void)uv_poll_start(
	    &stream->poll, i == STREAM_IN ? UV_WRITABLE : UV_READABLE, on_stream);
}

static void
watch_child(struct child *child, uv_loop_t *loop, const struct child_params *params,
    const struct child_pipes *pipes)
{
	child->streams[STREAM_IN].data =
	    mem_memdup(child, params->input ? params->input : "", params->input_len);
	child->streams[STREAM_IN].len = params->input_len;
	for (size_t i = 0; i < STREAMS; i++)
		watch_stream(child, loop, i, pipes->ours[i]);
	(void)uv_timer_init(loop, &child->timer);
	child->timer.data = child;
	uv_update_time(loop);
	(void)uv_timer_start(&child->timer, on_timer, (uint64_t)params->timeout_ms, 0);
	child->n_handles = STREAMS + 2;
}

/* They are meant for one process, and a child that took them for its own would speak for us. */
static bool
is_systemds(const char *variable)
{
	static const char *const prefixes[] = { "NOTIFY_SOCKET=", "WATCHDOG_", "LISTEN_",
		"JOURNAL_STREAM=" };

	for (size_t i = 0; i < ARRAY_SIZE(prefixes); i++)
		if (strncmp(variable, prefixes[i], strlen(prefixes[i])) == 0)
			return true;
	return false;
}

static char **
environ_of(const void *ctx, char *const *given)
{
	size_t n = 0, kept = 0;
	char **out;

	while (given[n])
		n++;
	out = mem_array(ctx, char *, n + 1);
	for (size_t i = 0; i < n; i++)
		if (!is_systemds(given[i]))
			out[kept++] = given[i];
	return out;
}

struct child *
child_start(uv_loop_t *loop, const struct child_params *params, child_fn *fn, void *arg,
    struct err *err)
{
	struct child *child = mem_zero(NULL, struct child);
	struct child_pipes pipes;

	child->magic = CHILD_MAGIC;
	child->program = mem_strdup(child, params->argv[0]);
	child->timeout_ms = params->timeout_ms;
	child->max_output = params->max_output;
	child->strict = params->strict;
	child->fn = fn;
	child->arg = arg;
	(void)uv_signal_init(loop, &child->signal);
	child->signal.data = child;
	/* first, or a quick end could be missed */
	(void)uv_signal_start(&child->signal, on_sigchld, SIGCHLD);
	child->guard = -1;
	if (open_pipes(&pipes) == 0)
		child->guard = child_fork(params->argv,
		    environ_of(child, params->environ ? params->environ : environ),
		    &pipes);
	if (child->guard < 0) {
		err_set_errno(
		    err, CAT_INTERNAL, errno, "%s cannot be started", child->program);
		close_pipes(&pipes);
		child->n_handles = 1;
		uv_close((uv_handle_t *)&child->signal, on_handle_closed);
		return NULL;
	}
	for (int i = 0; i < STREAMS; i++)
		close(pipes.theirs[i]);
	watch_child(child, loop, params, &pipes);
	return child;
}
