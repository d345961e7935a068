/* SPDX-License-Identifier: PostgreSQL */
#pragma once

/*
 * --once: apply, print the run as one screen of text (or as JSON with log_format =
 * json) on standard output, exit with the code that says how it went. No listener.
 */

#include "daemon/config.h"

enum exit_code once_run(struct config *config);
