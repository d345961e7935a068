/* SPDX-License-Identifier: PostgreSQL */
#pragma once

/*
 * systemd's notification protocol, sd_notify(3), without its library: one datagram to
 * $NOTIFY_SOCKET. All functions do nothing when the variable is not set.
 */

#include <stdint.h>

#include "base/macros.h"

void notify_ready(void);

/* With MONOTONIC_USEC, as Type=notify-reload needs it; notify_ready ends it. */
void notify_reloading(void);
void notify_stopping(void);

/* One line in systemctl status; sent only when it changed. */
void notify_status(const char *fmt, ...) PRINTF_LIKE(1, 2);

/* Interval in ms at which notify_watchdog is due (half of WATCHDOG_USEC), 0: none wanted. */
uint64_t notify_watchdog_ms(void);
void notify_watchdog(void);
