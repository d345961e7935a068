/* SPDX-License-Identifier: PostgreSQL */

/*
 * migrationctl: asks a migrationd, or does the work of one by itself.
 */

#include <locale.h>
#include <signal.h>

#include "base/file.h"
#include "base/mem.h"
#include "ctl/ctl.h"
#include "daemon/config.h"

extern char **environ;

int
main(int argc, char **argv)
{
	file_open_standard();
	/* a server or a reader that went away is an error code, not a death */
	sigaction(SIGPIPE, &(struct sigaction){ .sa_handler = SIG_IGN }, NULL);
	setlocale(LC_CTYPE, "C.UTF-8");
	char **own = config_take_argv(NULL, argc, argv);
	int exit_code = ctl_main(argc, own, environ);

	talloc_free(own);
	return exit_code;
}
