/* SPDX-License-Identifier: PostgreSQL */
#include "base/failpoint.h"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/log.h"

#define POINTS_VARIABLE "MIGRATIOND_FAILPOINT"
#define MUTANT_VARIABLE "MIGRATIOND_MUTANT"

#define POINTS      16
#define POINT_BYTES 256 /* of one item of the list, and of one name */
#define SLEEP_MS    600000

struct point;

struct action {
	const char *name;
	void (*act)(const struct point *point, int sock);
	int argument;
};

struct point {
	char name[POINT_BYTES];
	unsigned long at; /* the passing at which it acts */
	unsigned long passed;
	const struct action *action;
	int sleep_ms;
};

static struct {
	bool is_set;
	struct point points[POINTS];
	size_t n_points;
	char trace[POINT_BYTES];
} set;

/* ---- actions ---- */

static void
act_signal(const struct point *point, int sock UNUSED)
{
	raise(point->action->argument);
}

static void
act_exit(const struct point *point, int sock UNUSED)
{
	exit(point->action->argument);
}

static void
act_drop(const struct point *point, int sock)
{
	if (sock >= 0)
		(void)shutdown(sock, point->action->argument);
}

static void
act_sleep(const struct point *point, int sock UNUSED)
{
	(void)poll(NULL, 0, point->sleep_ms);
}

static const struct action actions[] = {
	{ "kill", act_signal, SIGKILL },
	{ "hang", act_signal, SIGSTOP },
	{ "exit", act_exit, EXIT_INTERNAL },
	{ "drop", act_drop, SHUT_RDWR },
	{ "sleep", act_sleep, 0 },
};

static const struct action *
action_find(const char *name)
{
	for (size_t i = 0; i < ARRAY_SIZE(actions); i++)
		if (strcmp(actions[i].name, name) == 0)
			return &actions[i];
	return NULL;
}

/* ---- reading ---- */

/*
 * Cut ":NUMBER" off the end of `text`. A name may have colons of its own, so no number
 * behind the last one is none: `*number` stays.
 */
static void
cut_number(char *text, unsigned long *number)
{
	char *colon = strrchr(text, ':');
	char *end = NULL;
	unsigned long value = colon ? strtoul(colon + 1, &end, 10) : 0;

	if (value == 0 || *end != '\0')
		return;
	*number = value;
	*colon = '\0';
}

/* One item of the list; `item` is taken apart. */
static int
read_item(char *item, struct err *err)
{
	char *equals = strrchr(item, '=');
	struct point *point = &set.points[set.n_points];
	unsigned long sleep_ms = 0;

	if (!equals || set.n_points == POINTS)
		return err_set(err, CAT_CONFIGURATION,
		    "failpoint \"%s\": NAME[:N]=ACTION, at most %d of them", item,
		    POINTS);
	*equals++ = '\0';
	if (strcmp(item, "trace") == 0) {
		(void)snprintf(set.trace, sizeof(set.trace), "%s", equals);
		return 0;
	}
	*point = (struct point){ .at = 1 };
	cut_number(item, &point->at);
	(void)snprintf(point->name, sizeof(point->name), "%s", item);
	cut_number(equals, &sleep_ms);
	point->action = action_find(equals);
	point->sleep_ms = sleep_ms < SLEEP_MS ? (int)sleep_ms : SLEEP_MS;
	if (!point->action)
		return err_set(err, CAT_CONFIGURATION,
		    "failpoint \"%s\": no action \"%s\"", item, equals);
	set.n_points++;
	return 0;
}

int
failpoint_set(const char *spec, struct err *err)
{
	memset(&set, 0, sizeof(set));
	set.is_set = true;
	while (spec && *spec) {
		size_t len = strcspn(spec, ",");
		char item[POINT_BYTES];

		if (len >= sizeof(item))
			return err_set(
			    err, CAT_CONFIGURATION, "failpoint \"%s\": too long", spec);
		memcpy(item, spec, len);
		item[len] = '\0';
		if (read_item(item, err) < 0)
			return -1;
		spec += len + (spec[len] == ',');
	}
	return 0;
}

/* ---- passing ---- */

/* Opened anew each time: no descriptor of ours stands among those of the program. */
static void
trace(const char *name)
{
	int fd = open(set.trace, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);

	if (fd < 0)
		return;
	(void)dprintf(fd, "%s\n", name);
	(void)close(fd);
}

static void
read_environment(void)
{
	struct err err = { 0 };

	if (failpoint_set(getenv(POINTS_VARIABLE), &err) == 0)
		return;
	log_error_with(&err, POINTS_VARIABLE);
	exit(EXIT_USAGE);
}

void
failpoint_pass(int sock, const char *fmt, ...)
{
	char name[POINT_BYTES];
	va_list ap;

	if (!set.is_set)
		read_environment();
	va_start(ap, fmt);
	(void)vsnprintf(name, sizeof(name), fmt, ap);
	va_end(ap);
	if (*set.trace)
		trace(name);
	for (size_t i = 0; i < set.n_points; i++) {
		struct point *point = &set.points[i];

		if (strcmp(point->name, "*") != 0 && strcmp(point->name, name) != 0)
			continue;
		if (++point->passed == point->at)
			point->action->act(point, sock);
	}
}

bool
failpoint_variable(const char *name)
{
	return strcmp(name, POINTS_VARIABLE) == 0 || strcmp(name, MUTANT_VARIABLE) == 0;
}

bool
failpoint_mutant(const char *name)
{
	const char *list = getenv(MUTANT_VARIABLE);
	size_t len = strlen(name);

	while (list && *list) {
		size_t item = strcspn(list, ",");

		if (item == len && strncmp(list, name, len) == 0)
			return true;
		list += item + (list[item] == ',');
	}
	return false;
}
