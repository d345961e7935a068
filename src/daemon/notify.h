/* SPDX-License-Identifier: PostgreSQL */
#pragma once

/*
 * systemd's notification protocol, sd_notify(3), without its library: one datagram to $NOTIFY_SOCKET. All functions do nothing when the variable
 * is not set.
 */

#include <uv.h>

void notify_ready(void);
void notify_reloading(void); /* with MONOTONIC_USEC, as Type=notify-reload needs it */
void notify_stopping(void);
void notify_status(const char *fmt, ...) __attribute__((format(printf, 1, 2))); /* one line in systemctl status; sent only when it changed */

/* Interval in ms at which notify_watchdog is due (half of WATCHDOG_USEC), 0: none wanted. */
uint64_t notify_watchdog_ms(void);
void notify_watchdog(void);
