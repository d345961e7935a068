# SPDX-License-Identifier: PostgreSQL
#
# Everything but the main is one library, which the tests link too. main -> ctl -> daemon -> { db, http } -> core -> base:
# tests/lint/layers.sh holds the includes to that.

noinst_LIBRARIES += %D%/libmigrationd.a
%C%_libmigrationd_a_SOURCES =

# libc, talloc and libcrypto
%C%_libmigrationd_a_SOURCES += \
	%D%/base/base64.c %D%/base/base64.h \
	%D%/base/bounds.h \
	%D%/base/clock.c %D%/base/clock.h \
	%D%/base/digest.c %D%/base/digest.h \
	%D%/base/duration.c %D%/base/duration.h \
	%D%/base/err.c %D%/base/err.h \
	%D%/base/failpoint.c %D%/base/failpoint.h \
	%D%/base/file.c %D%/base/file.h \
	%D%/base/file_beneath.c %D%/base/file_beneath.h \
	%D%/base/file_write.c %D%/base/file_write.h \
	%D%/base/log.c %D%/base/log.h \
	%D%/base/macros.h \
	%D%/base/mem.c %D%/base/mem.h \
	%D%/base/names.c %D%/base/names.h \
	%D%/base/secret.c %D%/base/secret.h \
	%D%/base/spelling.c %D%/base/spelling.h \
	%D%/base/text.c %D%/base/text.h \
	%D%/base/utf8.c %D%/base/utf8.h \
	%D%/base/words.c %D%/base/words.h

# the domain: pure functions
%C%_libmigrationd_a_SOURCES += \
	%D%/core/author.c %D%/core/author.h \
	%D%/core/author_drizzle.c \
	%D%/core/author_kind.h \
	%D%/core/author_manifest.c \
	%D%/core/author_name.c %D%/core/author_name.h \
	%D%/core/check.c %D%/core/check.h \
	%D%/core/check_chain.c %D%/core/check_chain.h \
	%D%/core/check_draft.h \
	%D%/core/check_files.c \
	%D%/core/check_fork.c \
	%D%/core/check_reading.c %D%/core/check_reading.h \
	%D%/core/check_snapshots.c \
	%D%/core/check_state.c \
	%D%/core/check_way_out.c \
	%D%/core/batch.c %D%/core/batch.h \
	%D%/core/elsewhere.c %D%/core/elsewhere.h \
	%D%/core/eol.c %D%/core/eol.h \
	%D%/core/dialect.c %D%/core/dialect.h \
	%D%/core/directive.c %D%/core/directive.h \
	%D%/core/drift.c %D%/core/drift.h \
	%D%/core/flyway.c %D%/core/flyway.h \
	%D%/core/folder.c %D%/core/folder.h \
	%D%/core/history.c %D%/core/history.h \
	%D%/core/layout.c %D%/core/layout.h \
	%D%/core/layout_dated.c \
	%D%/core/layout_dbmate.c \
	%D%/core/layout_diesel.c \
	%D%/core/layout_drizzle.c \
	%D%/core/layout_files.c \
	%D%/core/layout_flyway.c \
	%D%/core/layout_golang_migrate.c \
	%D%/core/layout_goose.c \
	%D%/core/layout_drizzle1.c \
	%D%/core/layout_kind.c %D%/core/layout_kind.h \
	%D%/core/layout_manifest.c \
	%D%/core/layout_sequence.c \
	%D%/core/layout_sqlx.c \
	%D%/core/locate.c %D%/core/locate.h \
	%D%/core/migration.c %D%/core/migration.h \
	%D%/core/phase.c %D%/core/phase.h \
	%D%/core/plan.c %D%/core/plan.h \
	%D%/core/plan_judge.c %D%/core/plan_judge.h \
	%D%/core/plan_judge_history.c \
	%D%/core/plan_match.c %D%/core/plan_match.h \
	%D%/core/plan_match_seconds.c \
	%D%/core/plan_undo.c \
	%D%/core/repair.c %D%/core/repair.h \
	%D%/core/resume.c %D%/core/resume.h \
	%D%/core/rollback_comment.c %D%/core/rollback_comment.h \
	%D%/core/run.c %D%/core/run.h \
	%D%/core/run_wait.c %D%/core/run_wait.h \
	%D%/core/schema.c %D%/core/schema.h \
	%D%/core/script.c %D%/core/script.h \
	%D%/core/script_problem.c \
	%D%/core/script_segment.c \
	%D%/core/script_build.h \
	%D%/core/script_enum.c %D%/core/script_enum.h \
	%D%/core/snapshot.c %D%/core/snapshot.h \
	%D%/core/sqlclass.c %D%/core/sqlclass.h \
	%D%/core/sqleffect.c %D%/core/sqleffect.h \
	%D%/core/sqlscan.c %D%/core/sqlscan.h \
	%D%/core/sqltoken.c %D%/core/sqltoken.h \
	%D%/core/sqlwords.c %D%/core/sqlwords.h \
	%D%/core/status.c %D%/core/status.h \
	%D%/core/status_requests.c

# libpq on the loop
%C%_libmigrationd_a_SOURCES += \
	%D%/db/catalog.c %D%/db/catalog.h \
	%D%/db/child.c %D%/db/child.h \
	%D%/db/child_fork.c %D%/db/child_fork.h \
	%D%/db/connect.c %D%/db/connect.h \
	%D%/db/effect_lookup.c %D%/db/effect_lookup.h \
	%D%/db/engine.c %D%/db/engine.h \
	%D%/db/index_lookup.c %D%/db/index_lookup.h \
	%D%/db/journal.c %D%/db/journal.h \
	%D%/db/journal_batches.c %D%/db/journal_batches.h \
	%D%/db/journal_look.c \
	%D%/db/journal_statements.c %D%/db/journal_statements.h \
	%D%/db/journal_words.c \
	%D%/db/keeper.c %D%/db/keeper.h \
	%D%/db/lease.c %D%/db/lease.h \
	%D%/db/lock.c %D%/db/lock.h \
	%D%/db/monitor.c %D%/db/monitor.h \
	%D%/db/monitor_look.c %D%/db/monitor_look.h \
	%D%/db/observation.h \
	%D%/db/observer.c %D%/db/observer.h \
	%D%/db/observer_internal.h \
	%D%/db/observer_read.c \
	%D%/db/password.c %D%/db/password.h \
	%D%/db/pgconn.c %D%/db/pgconn.h \
	%D%/db/pgconn_cancel.c \
	%D%/db/pgconn_command.c \
	%D%/db/pgconn_failure.c \
	%D%/db/pgconn_info.c %D%/db/pgconn_info.h \
	%D%/db/pgconn_internal.h \
	%D%/db/pgconn_open.c \
	%D%/db/runner.c %D%/db/runner.h \
	%D%/db/runner_ahead.c \
	%D%/db/runner_alone.c \
	%D%/db/runner_apply.c \
	%D%/db/runner_batch.c \
	%D%/db/runner_close.c \
	%D%/db/runner_history.c \
	%D%/db/runner_phase.c \
	%D%/db/runner_plan.c \
	%D%/db/runner_prepare.c \
	%D%/db/runner_record.c \
	%D%/db/runner_repair.c \
	%D%/db/runner_segment.c \
	%D%/db/runner_send.c \
	%D%/db/runner_job.c \
	%D%/db/runner_upgrade.c \
	%D%/db/runner_open.c \
	%D%/db/runner_steps.h \
	%D%/db/session.c %D%/db/session.h \
	%D%/db/sqlstate.c %D%/db/sqlstate.h \
	%D%/db/target_params.c %D%/db/target_params.h \
	%D%/db/tracking.c %D%/db/tracking.h \
	%D%/db/tracking_dbmate.c \
	%D%/db/tracking_data_migrations.c \
	%D%/db/tracking_diesel.c \
	%D%/db/tracking_elsewhere.c %D%/db/tracking_elsewhere.h \
	%D%/db/tracking_drizzle.c \
	%D%/db/tracking_flyway.c \
	%D%/db/tracking_golang_migrate.c \
	%D%/db/tracking_goose.c \
	%D%/db/tracking_drizzle1.c \
	%D%/db/tracking_guard.c \
	%D%/db/tracking_kind.h \
	%D%/db/tracking_migration_log.c \
	%D%/db/tracking_read.c \
	%D%/db/tracking_reruns.c \
	%D%/db/tracking_schema_migrations.c \
	%D%/db/tracking_sql.c \
	%D%/db/tracking_sqlx.c \
	%D%/db/verify.c %D%/db/verify.h \
	%D%/db/verify_sql.c %D%/db/verify_sql.h

# libmicrohttpd on the loop
%C%_libmigrationd_a_SOURCES += \
	%D%/http/api.h \
	%D%/http/api_check.c \
	%D%/http/api_probe.c \
	%D%/http/api_read.c \
	%D%/http/api_wait.c \
	%D%/http/api_write.c \
	%D%/http/auth.c %D%/http/auth.h \
	%D%/http/body.c %D%/http/body.h \
	%D%/http/guard.c %D%/http/guard.h \
	%D%/http/httpd.c %D%/http/httpd.h \
	%D%/http/httpd_internal.h \
	%D%/http/httpd_loop.c \
	%D%/http/json.c %D%/http/json.h \
	%D%/http/json_check.c \
	%D%/http/json_notice.c %D%/http/json_notice.h \
	%D%/http/json_phase.c \
	%D%/http/json_run.c \
	%D%/http/json_value.c %D%/http/json_value.h \
	%D%/http/metrics.c %D%/http/metrics.h \
	%D%/http/metrics_emit.c %D%/http/metrics_emit.h \
	%D%/http/metrics_process.c \
	%D%/http/metrics_render.c \
	%D%/http/plain.c %D%/http/plain.h \
	%D%/http/plain_check.c \
	%D%/http/plain_line.h \
	%D%/http/plain_run.c \
	%D%/http/problem.c %D%/http/problem.h \
	%D%/http/reply.c \
	%D%/http/request.c %D%/http/request.h \
	%D%/http/route.c %D%/http/route.h

# wiring
%C%_libmigrationd_a_SOURCES += \
	%D%/daemon/app.c %D%/daemon/app.h \
	%D%/daemon/config.c %D%/daemon/config.h \
	%D%/daemon/config_check.c \
	%D%/daemon/config_env.c \
	%D%/daemon/config_file.c \
	%D%/daemon/config_flags.c \
	%D%/daemon/config_print.c \
	%D%/daemon/config_secrets.c \
	%D%/daemon/config_sources.h \
	%D%/daemon/conninfo.c %D%/daemon/conninfo.h \
	%D%/daemon/ephemeral.c %D%/daemon/ephemeral.h \
	%D%/daemon/ephemeral_keeper.c %D%/daemon/ephemeral_keeper.h \
	%D%/daemon/herald.c %D%/daemon/herald.h \
	%D%/daemon/hook_facts.c %D%/daemon/hook_facts.h \
	%D%/daemon/hooks.c %D%/daemon/hooks.h \
	%D%/daemon/listen.c %D%/daemon/listen.h \
	%D%/daemon/listen_inherited.c \
	%D%/daemon/listeners.c %D%/daemon/listeners.h \
	%D%/daemon/notify.c %D%/daemon/notify.h \
	%D%/daemon/once.c %D%/daemon/once.h \
	%D%/daemon/option_value.c \
	%D%/daemon/options.c %D%/daemon/options.h \
	%D%/daemon/poster.c %D%/daemon/poster.h \
	%D%/daemon/report.c %D%/daemon/report.h \
	%D%/daemon/run_list.c %D%/daemon/run_list.h \
	%D%/daemon/secrets.c %D%/daemon/secrets.h \
	%D%/daemon/service.c %D%/daemon/service.h \
	%D%/daemon/target.c %D%/daemon/target.h \
	%D%/daemon/target_folders.c \
	%D%/daemon/target_internal.h \
	%D%/daemon/target_run.c \
	%D%/daemon/token.c %D%/daemon/token.h \
	%D%/daemon/watch.c %D%/daemon/watch.h \
	%D%/daemon/webhook_sign.c %D%/daemon/webhook_sign.h \
	%D%/daemon/webhooks.c %D%/daemon/webhooks.h

# migrationctl
%C%_libmigrationd_a_SOURCES += \
	%D%/ctl/args.c %D%/ctl/args.h \
	%D%/ctl/ask.c %D%/ctl/ask.h \
	%D%/ctl/ask_http.c \
	%D%/ctl/ask_local.c \
	%D%/ctl/cmd_author.c \
	%D%/ctl/cmd_read.c \
	%D%/ctl/cmd_wait.c \
	%D%/ctl/cmd_write.c \
	%D%/ctl/command.c %D%/ctl/command.h \
	%D%/ctl/completion.c \
	%D%/ctl/ctl.c %D%/ctl/ctl.h \
	%D%/ctl/document.c %D%/ctl/document.h \
	%D%/ctl/follow.c \
	%D%/ctl/help.c \
	%D%/ctl/paint.c %D%/ctl/paint.h \
	%D%/ctl/print.c \
	%D%/ctl/progress.c %D%/ctl/progress.h \
	%D%/ctl/render.h \
	%D%/ctl/render_check.c \
	%D%/ctl/render_facts.c \
	%D%/ctl/render_migrations.c \
	%D%/ctl/render_run.c \
	%D%/ctl/words.c %D%/ctl/words.h

# The library with what it leans on, for each program to link. libpq stands apart: the tests in tests/fake bring
# their own.
migrationd_libs = %D%/libmigrationd.a $(CURL_LIBS) $(CONFUSE_LIBS) $(MHD_LIBS) $(UV_LIBS) $(JANSSON_LIBS) $(CRYPTO_LIBS) $(TALLOC_LIBS)

sbin_PROGRAMS += %D%/migrationd
%C%_migrationd_SOURCES = %D%/migrationd.c
%C%_migrationd_LDADD = $(migrationd_libs) $(PQ_LIBS)

bin_PROGRAMS += %D%/migrationctl
%C%_migrationctl_SOURCES = %D%/migrationctl.c
%C%_migrationctl_LDADD = $(migrationd_libs) $(PQ_LIBS)
