/* SPDX-License-Identifier: PostgreSQL */
#include "daemon/report.h"

#include "base/log.h"

void
report_run_start(const struct run *run)
{
	log_info("run started", LOG_STR("run", run->id),
	    LOG_STR("operation", run_operation_name(run->operation)),
	    LOG_STR("requestedBy", run->requested_by));
}

void
report_run_end(const struct run *run, const char *environment)
{
	const char *message = run->outcome != RUN_SUCCEEDED ? "run did not succeed"
	    : run->n_applied > 0 ? "migrations completed successfully"
				 : "nothing to do";

	log_event(run->outcome == RUN_SUCCEEDED ? LOG_INFO : LOG_ERROR,
	    run->outcome == RUN_SUCCEEDED ? NULL : &run->err, message,
	    LOG_FIELDS(LOG_STR("run", run->id),
		LOG_STR("operation", run_operation_name(run->operation)),
		LOG_STR("outcome", run_outcome_name(run->outcome)),
		LOG_INT("filesProcessed", run->n_applied),
		LOG_INT("filesFailed", run->n_failed),
		LOG_INT(
		    "migrationDuration", (run->duration_us - run->lock_wait_us) / 1000),
		LOG_INT("totalDuration", run->duration_us / 1000),
		LOG_STR("migration",
		    run->err.migration[0] != '\0' ? run->err.migration : NULL),
		LOG_STR("environment", environment)));
}

void
report_folder(enum phase phase, const struct folder *folder)
{
	log_info("folder read", LOG_STR("phase", phase_name(phase)),
	    LOG_STR("path", folder->path),
	    LOG_STR("layout", folder->layout != NULL ? folder->layout->name : "none"),
	    LOG_INT("migrations", folder->n_migrations),
	    LOG_INT("problems", folder->n_problems));
	for (size_t i = 0; i < folder->n_problems; i++)
		log_warning_with(&folder->problems[i].err, "problem in the folder");
}
