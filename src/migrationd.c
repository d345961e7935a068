/* SPDX-License-Identifier: PostgreSQL */

/*
 * migrationd: keeps a PostgreSQL schema at the state that its migrations folder says.
 */

#include <locale.h>
#include <signal.h>
#include <stdio.h>
#include <unistd.h>

#include "base/file.h"
#include "base/log.h"
#include "base/mem.h"
#include "daemon/app.h"
#include "daemon/once.h"

extern char **environ;

static enum exit_code
print_error(const struct err *err)
{
	char line[ERR_LINE];

	fprintf(stderr, "migrationd: %s\n", err_format(err, line, sizeof(line)));
	if (err->hint[0] != '\0')
		fprintf(stderr, "hint: %s\n", err->hint);
	return err_exit_code(err);
}

int
main(int argc, char **argv)
{
	char **own = config_take_argv(NULL, argc, argv);
	struct config_source source = { .argc = argc, .argv = own, .environ = environ };
	struct config *config = NULL;
	struct err err = { 0 };

	file_open_standard();
	sigaction(SIGPIPE, &(struct sigaction){ .sa_handler = SIG_IGN },
	    NULL); /* a client or a log reader that went away is an error code, not a death */
	setlocale(LC_CTYPE, "C.UTF-8");
	log_init(STDERR_FILENO, LOG_FORMAT_TEXT, LOG_INFO);
	if (config_load(NULL, &source, &config, &err) < 0) {
		talloc_free(own);
		return (int)print_error(&err);
	}

	int exit_code = EXIT_FINE;

	log_init(STDERR_FILENO, (enum log_format)config->log_format,
	    (enum log_level)config->log_level);
	config_log_warnings(config);
	if (config->help) {
		config_help(stdout);
	} else if (config->version) {
		puts("migrationd " PACKAGE_VERSION);
	} else if (config->print_config) {
		config_print(stdout, config);
	} else if (config->check_config) {
		puts("configuration is fine");
	} else if (config->once) {
		exit_code = (int)once_run(config);
	} else {
		exit_code = (int)app_run(config, &source);
		config = NULL; /* the app's */
	}
	talloc_free(config);
	talloc_free(own);
	return exit_code;
}
