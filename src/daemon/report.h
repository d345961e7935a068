/* SPDX-License-Identifier: PostgreSQL */
#pragma once

/*
 * The log lines of what happened: one an event, with the fields that teams'
 * dashboards already query (migrationDuration, totalDuration, filesProcessed,
 * environment, category).
 */

#include "core/folder.h"
#include "core/run.h"

/* A run began. */
void report_run_start(const struct run *run);

/* A run ended, well or not. `environment` may be NULL. */
void report_run_end(const struct run *run, const char *environment);

/* A new state of the folder is in use, with its problems. */
void report_folder(enum phase phase, const struct folder *folder);
