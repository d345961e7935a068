# SPDX-License-Identifier: PostgreSQL
#
# `make check`: the unit tests, the tests on a scripted libpq, the lints. The integration and interop tests need a
# running PostgreSQL and Node.js: tests/run runs them with all the rest.

LOG_DRIVER = env AM_TAP_AWK='$(AWK)' $(SHELL) $(top_srcdir)/build-aux/tap-driver.sh
AM_TESTS_ENVIRONMENT = CMOCKA_MESSAGE_OUTPUT=TAP; export CMOCKA_MESSAGE_OUTPUT;

# One line makes a test: its source is the name with .c, in the same folder. A unit test needs nothing from outside, so
# it has no reason to skip: cmocka's skip() counts as a failure.
unit_tests = \
	%D%/unit/test_base64 \
	%D%/unit/test_clock \
	%D%/unit/test_dialect \
	%D%/unit/test_digest \
	%D%/unit/test_duration \
	%D%/unit/test_err \
	%D%/unit/test_failpoint \
	%D%/unit/test_file \
	%D%/unit/test_file_write \
	%D%/unit/test_log \
	%D%/unit/test_mem \
	%D%/unit/test_names \
	%D%/unit/test_secret \
	%D%/unit/test_spelling \
	%D%/unit/test_text \
	%D%/unit/test_utf8 \
	%D%/unit/test_words \
	%D%/unit/test_author \
	%D%/unit/test_check \
	%D%/unit/test_check_chain \
	%D%/unit/test_batch \
	%D%/unit/test_directive \
	%D%/unit/test_drift \
	%D%/unit/test_flyway \
	%D%/unit/test_folder \
	%D%/unit/test_history \
	%D%/unit/test_layout \
	%D%/unit/test_layout_dbmate \
	%D%/unit/test_layout_diesel \
	%D%/unit/test_layout_drizzle \
	%D%/unit/test_layout_flyway \
	%D%/unit/test_layout_golang_migrate \
	%D%/unit/test_layout_goose \
	%D%/unit/test_layout_files \
	%D%/unit/test_layout_manifest \
	%D%/unit/test_layout_drizzle1 \
	%D%/unit/test_layout_sequence \
	%D%/unit/test_layout_sqlx \
	%D%/unit/test_locate \
	%D%/unit/test_migration \
	%D%/unit/test_phase \
	%D%/unit/test_plan \
	%D%/unit/test_plan_undo \
	%D%/unit/test_repair \
	%D%/unit/test_resume \
	%D%/unit/test_rollback_comment \
	%D%/unit/test_run \
	%D%/unit/test_run_wait \
	%D%/unit/test_schema \
	%D%/unit/test_script \
	%D%/unit/test_snapshot \
	%D%/unit/test_sqlclass \
	%D%/unit/test_sqleffect \
	%D%/unit/test_sqlscan \
	%D%/unit/test_status \
	%D%/unit/test_child \
	%D%/unit/test_effect_lookup \
	%D%/unit/test_elsewhere \
	%D%/unit/test_eol \
	%D%/unit/test_engine \
	%D%/unit/test_index_lookup \
	%D%/unit/test_journal \
	%D%/unit/test_journal_statements \
	%D%/unit/test_lease \
	%D%/unit/test_lock \
	%D%/unit/test_monitor_look \
	%D%/unit/test_pgconn_info \
	%D%/unit/test_session \
	%D%/unit/test_sqlstate \
	%D%/unit/test_tracking \
	%D%/unit/test_api_check \
	%D%/unit/test_tracking_drizzle1 \
	%D%/unit/test_api_read \
	%D%/unit/test_api_wait \
	%D%/unit/test_api_write \
	%D%/unit/test_auth \
	%D%/unit/test_guard \
	%D%/unit/test_httpd \
	%D%/unit/test_json \
	%D%/unit/test_metrics \
	%D%/unit/test_plain \
	%D%/unit/test_problem \
	%D%/unit/test_request \
	%D%/unit/test_route \
	%D%/unit/test_config \
	%D%/unit/test_ctl_args \
	%D%/unit/test_ctl_progress \
	%D%/unit/test_ctl_render \
	%D%/unit/test_ctl_words \
	%D%/unit/test_connect \
	%D%/unit/test_conninfo \
	%D%/unit/test_herald \
	%D%/unit/test_hook_facts \
	%D%/unit/test_listen \
	%D%/unit/test_notify \
	%D%/unit/test_run_list \
	%D%/unit/test_options \
	%D%/unit/test_target_params \
	%D%/unit/test_token \
	%D%/unit/test_watch \
	%D%/unit/test_webhook_sign

LDADD = $(migrationd_libs) $(PQ_LIBS) $(CMOCKA_LIBS)
EXTRA_DIST += %D%/fake/blow.h %D%/unit/check_world.h %D%/unit/fake_api.h %D%/unit/layouts.h %D%/unit/pgresult.h \
	%D%/unit/scratch.h %D%/unit/tempdir.h

# On a scripted libpq, which takes the place of the real one: three lines make a test. The longest come first, so that
# no processor is idle in the end.
fake_tests = \
	%D%/fake/test_torture_calls \
	%D%/fake/test_torture_server \
	%D%/fake/test_torture_finish_early \
	%D%/fake/test_torture_cancel \
	%D%/fake/test_torture_commands \
	%D%/fake/test_keeper \
	%D%/fake/test_monitor \
	%D%/fake/test_observer \
	%D%/fake/test_pgconn \
	%D%/fake/test_runner \
	%D%/fake/test_verify

fakepq = %D%/fake/fakepq.c %D%/fake/fakepq.h
fake_script = $(fakepq) %D%/fake/script.c %D%/fake/script.h
fake_scenes = $(fake_script) %D%/fake/model.c %D%/fake/model.h \
	%D%/fake/scene.c %D%/fake/scene.h %D%/fake/scenarios.h \
	%D%/fake/scenarios_again.c %D%/fake/scenarios_apply.c %D%/fake/scenarios_open.c \
	%D%/fake/scenarios_phase.c %D%/fake/scenarios_repair.c %D%/fake/scenarios_resume.c \
	%D%/fake/scenarios_rollback.c %D%/fake/scenarios_segment.c %D%/fake/scenarios_engine.c \
	%D%/fake/scenarios_stop.c %D%/fake/scenarios_upgrade.c
fake_torture = $(fake_scenes) %D%/fake/torture.c %D%/fake/torture.h
# a scene need not wait through pauses
fake_scene_flags = $(AM_LDFLAGS) -Wl,--wrap=uv_timer_start
fake_libs = $(migrationd_libs) $(CMOCKA_LIBS)

%C%_fake_test_keeper_SOURCES = %D%/fake/test_keeper.c $(fake_script)
%C%_fake_test_keeper_LDADD = $(fake_libs)
%C%_fake_test_monitor_SOURCES = %D%/fake/test_monitor.c $(fake_script)
%C%_fake_test_monitor_LDADD = $(fake_libs)
%C%_fake_test_observer_SOURCES = %D%/fake/test_observer.c $(fake_script) \
	%D%/fake/watcher.c %D%/fake/watcher.h
%C%_fake_test_observer_LDADD = $(fake_libs)
%C%_fake_test_pgconn_SOURCES = %D%/fake/test_pgconn.c $(fakepq)
%C%_fake_test_pgconn_LDADD = $(fake_libs)
%C%_fake_test_runner_SOURCES = %D%/fake/test_runner.c $(fake_scenes)
%C%_fake_test_runner_LDADD = $(fake_libs)
%C%_fake_test_runner_LDFLAGS = $(fake_scene_flags)
%C%_fake_test_torture_calls_SOURCES = %D%/fake/test_torture_calls.c $(fake_torture)
%C%_fake_test_torture_calls_LDADD = $(fake_libs)
%C%_fake_test_torture_calls_LDFLAGS = $(fake_scene_flags)
%C%_fake_test_verify_SOURCES = %D%/fake/test_verify.c $(fake_script)
%C%_fake_test_verify_LDADD = $(fake_libs)
%C%_fake_test_torture_cancel_SOURCES = %D%/fake/test_torture_cancel.c $(fake_torture)
%C%_fake_test_torture_cancel_LDADD = $(fake_libs)
%C%_fake_test_torture_cancel_LDFLAGS = $(fake_scene_flags)
%C%_fake_test_torture_commands_SOURCES = %D%/fake/test_torture_commands.c $(fake_torture)
%C%_fake_test_torture_commands_LDADD = $(fake_libs)
%C%_fake_test_torture_commands_LDFLAGS = $(fake_scene_flags)
%C%_fake_test_torture_finish_early_SOURCES = %D%/fake/test_torture_finish_early.c $(fake_torture)
%C%_fake_test_torture_finish_early_LDADD = $(fake_libs)
%C%_fake_test_torture_finish_early_LDFLAGS = $(fake_scene_flags)
%C%_fake_test_torture_server_SOURCES = %D%/fake/test_torture_server.c $(fake_torture)
%C%_fake_test_torture_server_LDADD = $(fake_libs)
%C%_fake_test_torture_server_LDFLAGS = $(fake_scene_flags)

if HAVE_CMOCKA
check_PROGRAMS += $(fake_tests) $(unit_tests)
TESTS += $(fake_tests) $(unit_tests)
endif

# Rules that a machine can keep. Each is a script that prints file:line of what breaks its rule.
TEST_EXTENSIONS = .sh
lint_tests = \
	%D%/lint/banned.sh \
	%D%/lint/ctl.sh \
	%D%/lint/house.sh \
	%D%/lint/layers.sh \
	%D%/lint/layers-selftest.sh \
	%D%/lint/lists.sh \
	%D%/lint/man.sh \
	%D%/lint/options.sh

TESTS += $(lint_tests)
EXTRA_DIST += $(lint_tests) %D%/chaos %D%/lint/code.awk %D%/lint/coverage %D%/matrix %D%/run

# The two halves of `make check`.
check-code: $(check_PROGRAMS)
	$(MAKE) check-TESTS TESTS='$(check_PROGRAMS)' VERBOSE=yes

lint: $(sbin_PROGRAMS) $(bin_PROGRAMS)
	$(MAKE) check-TESTS TESTS='$(lint_tests)' VERBOSE=yes

if WITH_COVERAGE
# Every line of base and core is under unit test.
coverage: $(unit_tests)
	find . -name '*.gcda' -exec rm -f {} +
	-$(MAKE) check-TESTS TESTS='$(unit_tests)'
	$(srcdir)/%D%/lint/coverage . src/base src/core
endif

.PHONY: check-code lint coverage
