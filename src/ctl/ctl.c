/* SPDX-License-Identifier: PostgreSQL */
#include "ctl/ctl.h"

#include <fcntl.h>
#include <poll.h>
#include <string.h>
#include <unistd.h>

#include "base/bounds.h"
#include "base/mem.h"
#include "daemon/options.h"
#include "daemon/token.h"

#define SERVER_VARIABLE "MIGRATIOND_SERVER"
#define TOKEN_VARIABLE  "MIGRATIOND_TOKEN"

/* Of these the daemon knows nothing, so it would call them misspelt. */
static const char *const own_variables[] = { SERVER_VARIABLE, TOKEN_VARIABLE };

/* ---- the environment ---- */

/* The value of a variable; an empty one is as good as none. */
static const char *
find_variable(char *const *environ, const char *name)
{
	size_t len = strlen(name);

	for (; environ && *environ; environ++) {
		if (strncmp(*environ, name, len) == 0 && (*environ)[len] == '=' &&
		    (*environ)[len + 1])
			return *environ + len + 1;
	}
	return NULL;
}

static bool
is_own_variable(const char *variable)
{
	for (size_t i = 0; i < ARRAY_SIZE(own_variables); i++) {
		size_t len = strlen(own_variables[i]);

		if (strncmp(variable, own_variables[i], len) == 0 && variable[len] == '=')
			return true;
	}
	return false;
}

static char **
without_own_variables(const void *ctx, char *const *environ)
{
	char **kept = NULL;
	size_t n = 0;

	for (; *environ; environ++) {
		kept = mem_grow(ctx, kept, char *, n + 2);
		if (!is_own_variable(*environ))
			kept[n++] = *environ;
		kept[n] = NULL;
	}
	return kept;
}

/* ---- whom to ask ---- */

/*
 * The token: from --token-file, else from the environment, the text itself or the file
 * with it, else from a credential of systemd, as the daemon finds its own.
 */
static int
read_token(struct ctl *ctl, const char **token, struct err *err)
{
	const char *path = args_text(&ctl->args, "token-file");
	const char *credentials = find_variable(ctl->environ, "CREDENTIALS_DIRECTORY");

	*token = path ? NULL : find_variable(ctl->environ, TOKEN_VARIABLE);
	if (*token && !token_can_be_sent(*token))
		return err_set(err, CAT_CONFIGURATION,
		    TOKEN_VARIABLE " has a character that no header carries");
	if (*token)
		return 0;
	if (!path)
		path = find_variable(ctl->environ, TOKEN_VARIABLE "_FILE");
	if (!path && credentials) {
		path = mem_printf(ctl, "%s/api-token", credentials);
		if (access(path, F_OK) != 0)
			return 0;
	}
	if (!path || token_read(ctl, path, token, err) == 0)
		return 0;
	err->category = CAT_CONFIGURATION; /* also where the file is missing */
	return err_wrap(err, "token-file");
}

/* Settings are of no use to a daemon that has its own. */
static int
check_settings(const struct ctl *ctl, struct err *err)
{
	for (size_t i = 1; i < ctl->args.n_settings; i++) {
		const char *setting = ctl->args.settings[i];

		if (strncmp(setting, "--token-file=", 13) == 0)
			continue;
		err_set(err, CAT_CONFIGURATION,
		    "%.*s does not go with --server: the daemon has settings of its own",
		    (int)strcspn(setting, "="), setting);
		err_hint(err, "migrationctl config shows them");
		err->exit_code = EXIT_USAGE;
		return -1;
	}
	return 0;
}

static int
use_server(struct ctl *ctl, struct err *err)
{
	const char *token = NULL;

	if (check_settings(ctl, err) < 0 || read_token(ctl, &token, err) < 0)
		return -1;
	return ask_use_http(ctl->ask, ctl->server, token, err);
}

/*
 * What the daemon would write to its log is on the screen already, as the document says
 * it; who wants the log asks for a level.
 */
static void
set_up_log(const struct config *config)
{
	const char *origin = config->origins[option_find("log_level") - option_table];
	int fd = STDERR_FILENO;

	if (strcmp(origin, "default") == 0)
		fd = open("/dev/null", O_WRONLY | O_CLOEXEC);
	log_init(
	    fd, (enum log_format)config->log_format, (enum log_level)config->log_level);
}

int
ctl_load_config(struct ctl *ctl, struct config **config, struct err *err)
{
	struct config_source source = {
		.argc = (int)ctl->args.n_settings,
		.argv = (char *const *)ctl->args.settings,
		.environ = without_own_variables(ctl, ctl->environ),
	};

	if (config_load(ctl, &source, config, err) < 0)
		return -1;
	for (size_t i = 0; i < (*config)->n_warnings && !ctl->is_quiet; i++)
		fprintf(stderr, "migrationctl: %s\n", (*config)->warnings[i]);
	return 0;
}

static int
use_local(struct ctl *ctl, struct err *err)
{
	struct config *config = NULL;

	if (ctl_load_config(ctl, &config, err) < 0)
		return -1;
	set_up_log(config);
	return ask_use_local(ctl->ask, config, err);
}

static int
open_ask(struct ctl *ctl, struct err *err)
{
	int rc;

	if (ctl->ask)
		return 0;
	ctl->ask = ask_new(NULL, ctl->patience_ms);
	rc = ctl->server ? use_server(ctl, err) : use_local(ctl, err);
	if (rc < 0) {
		ask_close(ctl->ask);
		ctl->ask = NULL;
	}
	return rc;
}

/* ---- asking ---- */

static int
put(struct ctl *ctl, const struct question *question, struct answer *answer)
{
	struct err err = { 0 };
	int rc = open_ask(ctl, &err);

	if (rc == 0)
		rc = ask_put(ctl->ask, question, ctl->scratch, answer, &err);
	json_decref(question->body);
	if (rc == 0)
		return 0;
	/* who pressed Ctrl-C knows */
	ctl->exit_code = err.exit_code == ASK_INTERRUPTED ? ASK_INTERRUPTED
							  : ctl_print_error(ctl, &err);
	return -1;
}

int
ctl_ask_raw(struct ctl *ctl, const char *method, const char *path, json_t *body,
    struct answer *answer)
{
	struct question question = { .method = method, .path = path, .body = body };

	return put(ctl, &question, answer);
}

static int
refuse_problem(struct ctl *ctl, const struct answer *answer)
{
	if (answer->status < 400 && answer->document)
		return 0;
	ctl->exit_code = ctl_exit_code_of(answer);
	ctl_print_problem(ctl, answer);
	return -1;
}

int
ctl_put(struct ctl *ctl, const struct question *question, struct answer *answer)
{
	if (put(ctl, question, answer) < 0)
		return -1;
	return refuse_problem(ctl, answer);
}

int
ctl_ask(struct ctl *ctl, const char *method, const char *path, json_t *body,
    struct answer *answer)
{
	struct question question = { .method = method, .path = path, .body = body };

	return ctl_put(ctl, &question, answer);
}

char *
ctl_path(struct ctl *ctl, const char *path, const char *name, const char *value)
{
	struct text out;

	text_init(&out, ctl, BOUND_TARGET_BYTES);
	text_add(&out, path);
	if (value)
		text_addf(&out, "?%s=", name);
	for (const char *c = value; c && *c; c++) {
		/* RFC 3986 section 2.3 */
		if ((*c >= 'a' && *c <= 'z') || (*c >= 'A' && *c <= 'Z') ||
		    (*c >= '0' && *c <= '9') || strchr("-._~", *c))
			text_add_char(&out, *c);
		else
			text_addf(&out, "%%%02X", (unsigned char)*c);
	}
	return out.data;
}

/* ---- the program ---- */

/* Whether the command can work where it is to. */
static int
check_place(const struct ctl *ctl, struct err *err)
{
	const struct ctl_command *command = ctl->args.command;

	if (command->place != CTL_SERVER || ctl->server)
		return 0;
	err_set(
	    err, CAT_CONFIGURATION, "%s asks a daemon, and none is named", command->name);
	err_hint(err, "say --server URL, or set " SERVER_VARIABLE);
	err->exit_code = EXIT_USAGE;
	return -1;
}

static int
run(struct ctl *ctl, int argc, char **argv)
{
	struct args *args = &ctl->args;
	struct err err = { 0 };

	if (args_parse(ctl, argc, argv, args, &err) < 0)
		return ctl_print_error(ctl, &err);
	if (args_has(args, "version")) {
		puts("migrationctl " PACKAGE_VERSION);
		return EXIT_FINE;
	}
	if (args_has(args, "help")) {
		if (args->command)
			ctl_help_command(stdout, args->command);
		else
			ctl_help(stdout);
		return EXIT_FINE;
	}
	ctl->program = args_program(ctl, args);
	ctl->server = args_text(args, "server");
	if (!ctl->server)
		ctl->server = find_variable(ctl->environ, SERVER_VARIABLE);
	ctl->patience_ms = args_ms(args, "wait", 0);
	ctl->is_json = args_has(args, "json");
	ctl->is_quiet = args_has(args, "quiet");
	if (check_place(ctl, &err) < 0)
		return ctl_print_error(ctl, &err);
	return args->command->run(ctl);
}

/* "| head" has read what it wanted, and that is no failure. */
static bool
reader_is_gone(void)
{
	struct pollfd out = { .fd = STDOUT_FILENO };

	return poll(&out, 1, 0) > 0 && (out.revents & POLLERR);
}

int
ctl_main(int argc, char **argv, char *const *environ)
{
	struct ctl *ctl = mem_zero(NULL, struct ctl);
	int exit_code;

	ctl->environ = environ;
	ctl->scratch = ctl;
	exit_code = run(ctl, argc, argv);
	fflush(stdout);
	if (ferror(stdout) && exit_code == EXIT_FINE && !reader_is_gone()) {
		fputs(
		    "migrationctl: cannot write all of it to standard output\n", stderr);
		exit_code = EXIT_INTERNAL;
	}
	ask_close(ctl->ask);
	talloc_free(ctl);
	return exit_code;
}
