/* SPDX-License-Identifier: PostgreSQL */
#pragma once

/*
 * The daemon: owns the loop and every module; start, tick, reload, stop.
 *
 * Callbacks advance only their own object. All that crosses modules happens in
 * the tick, which uv_prepare runs once per loop turn: publish what changed (log,
 * systemd status), wake parked requests, pump HTTP.
 */

#include "daemon/config.h"

/*
 * Run the daemon until it is told to stop (SIGTERM, SIGINT). `source` is kept for
 * reloads. Returns the exit code.
 */
enum exit_code app_run(struct config *config, const struct config_source *source);
