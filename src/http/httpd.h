/* SPDX-License-Identifier: PostgreSQL */
#pragma once

/*
 * libmicrohttpd on our loop. httpd.c alone knows it, httpd_loop.c drives it.
 *
 * One MHD_Daemon per listening socket, epoll without a thread; its epoll descriptor is
 * under uv_poll, and all work happens in httpd_tick, which the app calls in its
 * uv_prepare once per loop turn: resume parked requests that are ready, close
 * connections past their deadline, MHD_run, MHD_get_timeout -> timer. The poll and
 * timer callbacks only end the sleep.
 *
 * Measured traps that these files cover (libmicrohttpd 0.9.75):
 *   - the inner epoll is edge-triggered: the timeout is read again after every MHD_run
 *   - at the connection limit it stops accepting for ever unless MHD_run is called once
 *     more when the count falls below it
 *   - its timeout is inactivity only: each connection has deadlines of ours, then
 *     shutdown(2)
 *   - stopping with a parked request aborts the process: all are answered first
 *   - no answer can be queued while the body is being uploaded: a too large body is
 *     read on and thrown away up to HTTPD_DISCARD_BYTES, then 413; a longer one is cut
 *     off
 *   - a client that hangs up while it is parked is not noticed: nothing is cancelled by
 *     it
 *
 * Deadlines of a connection: request_timeout_ms from accept to the request line, the
 * same again for the headers, the body, and for taking the answer; HTTPD_IDLE_MS more
 * for the next request on a kept connection. While a request is in our hands there is
 * none.
 */

#include <stdint.h>
#include <uv.h>

#include "base/err.h"
#include "http/api.h"
#include "http/request.h"

#define HTTPD_IDLE_MS       15000
#define HTTPD_DISCARD_BYTES (1u << 20)

struct httpd;

/* `loop` and `api` must outlive it. */
struct httpd *httpd_new(uv_loop_t *loop, struct api *api, int64_t request_timeout_ms);

/* Serve on a bound, listening socket; the descriptor is taken, also on failure. */
int httpd_add_listener(struct httpd *httpd, int fd, const struct listener_facts *facts,
    struct err *err) MUST_CHECK;

/* Once per loop turn. */
void httpd_tick(struct httpd *httpd);

/*
 * Accept nothing new; requests in hand and parked ones go on, and end their connection.
 */
void httpd_quiesce(struct httpd *httpd);

/* Requests whose answer is not yet sent. */
unsigned httpd_in_flight(const struct httpd *httpd);

/*
 * Answer every parked request (503 "stopping" where its handler has nothing better),
 * stop, close all handles. Frees itself when the last handle is closed, which takes a
 * turn of the loop.
 */
void httpd_close(struct httpd *httpd);

/* "0.9.75" */
const char *httpd_library_version(void);
