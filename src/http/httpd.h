/* SPDX-License-Identifier: PostgreSQL */
#pragma once

/*
 * libmicrohttpd on our loop: the only file that knows it.
 *
 * One MHD_Daemon per listening socket, epoll without a thread; its epoll descriptor is under uv_poll, and all work happens in httpd_tick, which the
 * app calls in its uv_prepare once per loop turn: resume parked requests that are ready, MHD_run, MHD_get_timeout -> timer. The poll and timer
 * callbacks only end the sleep. Measured traps that this file covers (libmicrohttpd 0.9.75):
 *   - the inner epoll is edge-triggered: the timeout is read again after every MHD_run
 *   - at the connection limit it stops accepting for ever unless MHD_run is called once more when the count falls below it
 *   - its timeout is inactivity only: each connection has a deadline of ours for the request's head and body, then shutdown(2)
 *   - stopping with a parked request aborts the process: all are answered first
 *   - no answer can be queued while the body is being uploaded: a too large body is read on and thrown away up to 1 MiB, then 413, else closed
 */

#include <stdint.h>
#include <uv.h>

#include "base/err.h"
#include "http/api.h"
#include "http/request.h"

struct httpd;

struct httpd *httpd_new(uv_loop_t *loop, struct api *api, int64_t request_timeout_ms);

/* Serve on a bound, listening socket; the descriptor is taken. */
int httpd_add_listener(struct httpd *httpd, int fd, const struct listener_facts *facts, struct err *err) MUST_CHECK;

/* Once per loop turn. */
void httpd_tick(struct httpd *httpd);

/* Accept nothing new; requests in hand and parked ones go on. */
void httpd_quiesce(struct httpd *httpd);

/* Requests that have no answer yet. */
unsigned httpd_in_flight(const struct httpd *httpd);

/* Answer every parked request (503 CANCELLED "stopping" where its handler has nothing better), stop, close all handles, free. */
void httpd_close(struct httpd *httpd);
