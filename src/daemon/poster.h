/* SPDX-License-Identifier: PostgreSQL */
#pragma once

/*
 * HTTP requests of ours on the loop, by libcurl's multi interface: it says which sockets to watch
 * and when to wake it, and libuv does both. No redirect is followed, a certificate must be right,
 * what is answered is read and dropped.
 *
 *	struct poster *poster = poster_new(loop);
 *	struct post *post = poster_send(poster, &request, on_answer, me);
 *	...
 *	static void on_answer(void *arg, long status, const char *error) ...
 *	...
 *	poster_close(poster);
 */

#include <stdint.h>
#include <uv.h>

struct poster;
struct post;

/* Borrowed for the call. */
struct post_request {
	const char *url;
	const char *const *headers; /* "name: value", NULL-terminated */
	const char *body;
	int64_t timeout_ms; /* all in all */
};

/* `status` of the answer, or 0 and `error`, which names no more of the URL than its host. */
typedef void post_fn(void *arg, long status, const char *error);

struct poster *poster_new(uv_loop_t *loop);

/* POST. `fn` is called once, from the loop, unless post_cancel came first. */
struct post *poster_send(
    struct poster *poster, const struct post_request *request, post_fn *fn, void *arg);

void post_cancel(struct post *post);

/* No post may be under way. Frees itself once its handles are closed. */
void poster_close(struct poster *poster);
