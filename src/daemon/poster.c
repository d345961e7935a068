/* SPDX-License-Identifier: PostgreSQL */
#include "daemon/poster.h"

#include <assert.h>
#include <stdio.h>
#include <string.h>

#include <curl/curl.h>

#include "base/bounds.h"
#include "base/mem.h"

#define POSTER_MAGIC 0x504f5354u

struct poster {
	unsigned magic;
	uv_loop_t *loop;
	uv_timer_t timer;
	CURLM *multi;
	unsigned n_handles; /* uv handles not yet closed; the last one frees us */
};

/* A socket that libcurl wants watched. */
struct socket {
	uv_poll_t poll;
	curl_socket_t fd;
	struct poster *poster;
};

struct post {
	struct poster *poster;
	CURL *easy;
	struct curl_slist *headers;
	char *body;
	char error[CURL_ERROR_SIZE];
	size_t n_read;
	post_fn *fn;
	void *arg;
};

static struct poster *
poster_of(void *arg)
{
	struct poster *poster = arg;

	assert(poster->magic == POSTER_MAGIC);
	return poster;
}

static void
release(struct poster *poster)
{
	if (--poster->n_handles > 0)
		return;
	poster->magic = 0;
	curl_global_cleanup();
	talloc_free(poster);
}

void
post_cancel(struct post *post)
{
	(void)curl_multi_remove_handle(post->poster->multi, post->easy);
	curl_easy_cleanup(post->easy);
	curl_slist_free_all(post->headers);
	talloc_free(post);
}

static void
finish(struct post *post, CURLcode code)
{
	post_fn *fn = post->fn;
	void *arg = post->arg;
	long status = 0;
	char error[CURL_ERROR_SIZE];

	(void)curl_easy_getinfo(post->easy, CURLINFO_RESPONSE_CODE, &status);
	/* an answer that was too long is an answer */
	if (code != CURLE_OK && code != CURLE_WRITE_ERROR)
		status = 0;
	memcpy(error, post->error, sizeof(error));
	if (status == 0 && error[0] == '\0')
		(void)snprintf(error, sizeof(error), "%s", curl_easy_strerror(code));
	post_cancel(post);
	fn(arg, status, status > 0 ? NULL : error);
}

/* Who is told may cancel other posts, so each is asked for anew. */
static void
finish_all(struct poster *poster)
{
	int left = 0;
	CURLMsg *message = NULL;

	while ((message = curl_multi_info_read(poster->multi, &left))) {
		struct post *post = NULL;

		if (message->msg != CURLMSG_DONE)
			continue;
		(void)curl_easy_getinfo(
		    message->easy_handle, CURLINFO_PRIVATE, (char **)&post);
		finish(post, message->data.result);
	}
}

static void
on_timer(uv_timer_t *timer)
{
	struct poster *poster = poster_of(timer->data);
	int running = 0;

	(void)curl_multi_socket_action(poster->multi, CURL_SOCKET_TIMEOUT, 0, &running);
	finish_all(poster);
}

static void
on_socket(uv_poll_t *poll, int status, int events)
{
	const struct socket *socket = poll->data;
	struct poster *poster = poster_of(socket->poster);
	int flags = status < 0 ? CURL_CSELECT_ERR : 0;
	int running = 0;

	flags |= events & UV_READABLE ? CURL_CSELECT_IN : 0;
	flags |= events & UV_WRITABLE ? CURL_CSELECT_OUT : 0;
	(void)curl_multi_socket_action(poster->multi, socket->fd, flags, &running);
	finish_all(poster);
}

/* ---- what libcurl asks for ---- */

static int
want_timer(CURLM *multi UNUSED, long timeout_ms, void *arg)
{
	struct poster *poster = poster_of(arg);

	if (timeout_ms < 0)
		(void)uv_timer_stop(&poster->timer);
	else
		(void)uv_timer_start(&poster->timer, on_timer, (uint64_t)timeout_ms, 0);
	return 0;
}

static void
on_socket_closed(uv_handle_t *handle)
{
	struct socket *socket = handle->data;
	struct poster *poster = poster_of(socket->poster);

	talloc_free(socket);
	release(poster);
}

static int
want_socket(CURL *easy UNUSED, curl_socket_t fd, int what, void *arg, void *known)
{
	struct poster *poster = poster_of(arg);
	struct socket *socket = known;

	if (what == CURL_POLL_REMOVE) {
		if (socket)
			uv_close((uv_handle_t *)&socket->poll, on_socket_closed);
		return 0;
	}
	if (!socket) {
		socket = mem_zero(NULL, struct socket);
		socket->fd = fd;
		socket->poster = poster;
		socket->poll.data = socket;
		(void)uv_poll_init(poster->loop, &socket->poll, fd);
		poster->n_handles++;
		(void)curl_multi_assign(poster->multi, fd, socket);
	}
	(void)uv_poll_start(&socket->poll,
	    (what & CURL_POLL_IN ? UV_READABLE : 0) |
		(what & CURL_POLL_OUT ? UV_WRITABLE : 0),
	    on_socket);
	return 0;
}

/* ---- */

static size_t
drop(char *data UNUSED, size_t size, size_t n, void *arg)
{
	struct post *post = arg;

	post->n_read += size * n;
	return post->n_read > BOUND_ANSWER_BYTES ? 0 : size * n;
}

static void
set_up(struct post *post, const struct post_request *request)
{
	CURL *easy = post->easy;

	for (size_t i = 0; request->headers[i]; i++)
		post->headers = curl_slist_append(post->headers, request->headers[i]);
	(void)curl_easy_setopt(easy, CURLOPT_PRIVATE, post);
	(void)curl_easy_setopt(easy, CURLOPT_URL, request->url);
	(void)curl_easy_setopt(easy, CURLOPT_PROTOCOLS_STR, "http,https");
	(void)curl_easy_setopt(easy, CURLOPT_FOLLOWLOCATION, 0L);
	/* this machine alone is spoken to so (webhook_check_url): not by way of another */
	if (strncmp(request->url, "http:", 5) == 0)
		(void)curl_easy_setopt(easy, CURLOPT_PROXY, "");
	(void)curl_easy_setopt(easy, CURLOPT_POSTFIELDSIZE, (long)strlen(post->body));
	(void)curl_easy_setopt(easy, CURLOPT_POSTFIELDS, post->body);
	(void)curl_easy_setopt(easy, CURLOPT_HTTPHEADER, post->headers);
	(void)curl_easy_setopt(easy, CURLOPT_USERAGENT, PACKAGE_NAME "/" PACKAGE_VERSION);
	(void)curl_easy_setopt(easy, CURLOPT_TIMEOUT_MS, (long)request->timeout_ms);
	(void)curl_easy_setopt(easy, CURLOPT_ERRORBUFFER, post->error);
	(void)curl_easy_setopt(easy, CURLOPT_WRITEFUNCTION, drop);
	(void)curl_easy_setopt(easy, CURLOPT_WRITEDATA, post);
	/* its thread that resolves names must neither send signals nor be waited for */
	(void)curl_easy_setopt(easy, CURLOPT_NOSIGNAL, 1L);
	(void)curl_easy_setopt(easy, CURLOPT_QUICK_EXIT, 1L);
}

struct post *
poster_send(
    struct poster *poster, const struct post_request *request, post_fn *fn, void *arg)
{
	struct post *post = mem_zero(NULL, struct post);

	post->poster = poster;
	post->easy = curl_easy_init();
	assert(post->easy); /* out of memory ends the process, as everywhere */
	post->body = mem_strdup(post, request->body);
	post->fn = fn;
	post->arg = arg;
	set_up(post, request);
	(void)curl_multi_add_handle(poster->multi, post->easy);
	return post;
}

struct poster *
poster_new(uv_loop_t *loop)
{
	struct poster *poster = mem_zero(NULL, struct poster);

	poster->magic = POSTER_MAGIC;
	poster->loop = loop;
	poster->n_handles = 1;
	(void)uv_timer_init(loop, &poster->timer);
	poster->timer.data = poster;
	(void)curl_global_init(CURL_GLOBAL_DEFAULT);
	poster->multi = curl_multi_init();
	assert(poster->multi);
	(void)curl_multi_setopt(poster->multi, CURLMOPT_SOCKETFUNCTION, want_socket);
	(void)curl_multi_setopt(poster->multi, CURLMOPT_SOCKETDATA, poster);
	(void)curl_multi_setopt(poster->multi, CURLMOPT_TIMERFUNCTION, want_timer);
	(void)curl_multi_setopt(poster->multi, CURLMOPT_TIMERDATA, poster);
	return poster;
}

static void
on_timer_closed(uv_handle_t *handle)
{
	release(poster_of(handle->data));
}

void
poster_close(struct poster *poster)
{
	(void)curl_multi_cleanup(poster->multi);
	uv_close((uv_handle_t *)&poster->timer, on_timer_closed);
}
