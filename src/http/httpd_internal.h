/* SPDX-License-Identifier: PostgreSQL */
#pragma once

/*
 * Between httpd.c, which knows libmicrohttpd, and httpd_loop.c, which knows libuv and
 * the clock. For these two alone.
 */

#include "http/httpd.h"

#define HTTPD_MAGIC      0x48747044u
#define LISTENER_MAGIC   0x4c69736eu
#define CONNECTION_MAGIC 0x436f6e6eu

struct MHD_Connection;
struct MHD_Daemon;

/* A connection and the request on it, if any. */
struct connection {
	unsigned magic;
	struct listener *listener;
	struct connection *prev, *next;
	struct MHD_Connection *mhd;
	int fd;
	int64_t deadline_mono_us; /* 0: the request is in our hands */
	struct request *request;
	uintptr_t target_at; /* where libmicrohttpd keeps the request target */
	size_t discarded;    /* bytes of a too large body */
};

struct listener {
	unsigned magic;
	struct httpd *httpd;
	struct listener *next;
	struct listener_facts facts;
	struct MHD_Daemon *mhd;
	uv_poll_t poll;
};

struct httpd {
	unsigned magic;
	struct api *api;
	uv_loop_t *loop;
	uv_timer_t timer;
	int64_t request_timeout_us;
	struct listener *listeners;
	struct connection *connections;
	unsigned open_handles;
	bool quiet;   /* accepts no more */
	bool closing; /* parks no more */
};

/* ---- httpd.c ---- */

/*
 * Start libmicrohttpd on a listening socket, which it takes; its epoll descriptor, or
 * -1.
 */
int listener_start(struct listener *listener, int fd) MUST_CHECK;

/* All that can be done without waiting. */
void listener_run(struct listener *listener);

/* How long libmicrohttpd can wait for an event, in ms; -1: for ever. */
int64_t listener_wait_ms(const struct listener *listener);

/* Accept no more. Once. */
void listener_quiesce(struct listener *listener);

/* No request may be parked. Closes its connections. */
void listener_stop(struct listener *listener);

bool connection_is_parked(const struct connection *connection);

/* Go on with a parked request that has its reply now. */
void connection_resume(struct connection *connection);

/* ---- httpd_loop.c ---- */

/* Set the connection's deadline to one request timeout and `more_ms` from now. */
void connection_give_time(struct connection *connection, int64_t more_ms);

/* The answer of a request that would have to wait while we close. */
void httpd_refuse_to_wait(struct request *request);
