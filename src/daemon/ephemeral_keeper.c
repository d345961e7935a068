/* SPDX-License-Identifier: PostgreSQL */
#include "daemon/ephemeral_keeper.h"

#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <grp.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/clock.h"

#define STEP_MS   20 /* between two looks at a child */
#define START_US  (60 * INT64_C(1000000))
#define STOP_US   (10 * INT64_C(1000000))
#define PID_BYTES 1024

/* Where the two pipes are put, so that all other descriptors of the daemon can be closed. */
#define LIFE 3
#define NEWS 4

static const char *const environment[] = { "PATH=/usr/bin:/bin", "LC_ALL=C", "TZ=UTC",
	NULL };

/* The daemon is gone, or has told us to stop. Waits up to `wait_ms`; -1 is for ever. */
static bool
is_over(int wait_ms)
{
	struct pollfd life = { .fd = LIFE, .events = POLLIN };

	return poll(&life, 1, wait_ms) > 0;
}

/* A child that leads a process group of its own and writes to the log in the working
 * directory. */
static pid_t
spawn(const char *const *argv)
{
	pid_t pid = fork();
	int log = -1;

	if (pid != 0)
		return pid;
	setpgid(0, 0);
	prctl(PR_SET_PDEATHSIG, SIGQUIT); /* should somebody kill the keeper */
	log = open("log", O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
	if (log < 0 || dup2(log, STDOUT_FILENO) < 0 || dup2(log, STDERR_FILENO) < 0)
		_exit(127);
	/* execve takes them without const for history's sake alone (POSIX, exec) */
	execve(argv[0], (char *const *)argv, (char *const *)environment);
	dprintf(STDERR_FILENO, "%s: %s\n", argv[0], strerror(errno));
	_exit(127);
}

/* Whether the child has ended by itself within `wait_us`; its status in `*status`. */
static bool
wait_for(pid_t pid, int64_t wait_us, int *status)
{
	int64_t until_us = clock_mono_us() + wait_us;

	do {
		if (waitpid(pid, status, WNOHANG) == pid)
			return true;
		poll(NULL, 0, STEP_MS);
	} while (clock_mono_us() < until_us);
	return false;
}

/* End a child: politely, then not. */
static void
stop(pid_t pid, int signum)
{
	int status = 0;

	kill(-pid, signum);
	if (!wait_for(pid, STOP_US, &status)) {
		kill(-pid, SIGKILL);
		waitpid(pid, &status, 0);
	}
}

static int
remove_one(const char *path, const struct stat *st UNUSED, int type UNUSED,
    struct FTW *ftw UNUSED)
{
	(void)!remove(path); /* what cannot be removed is left behind */
	return 0;
}

/* All that the keeper does at its end, whatever the reason was. */
static _Noreturn void
clean_up(const struct keeper *keeper, pid_t server)
{
	/* an immediate shutdown: nothing of it is wanted any more */
	if (server > 0)
		stop(server, SIGQUIT);
	(void)!chdir("/");
	nftw(keeper->directory, remove_one, 16, FTW_DEPTH | FTW_PHYS);
	_exit(0);
}

/* Say what failed, and keep the log until the daemon has read it. */
static _Noreturn void
fail(const struct keeper *keeper, pid_t server, const char *step)
{
	(void)!write(NEWS, step, strlen(step));
	close(NEWS);
	is_over(-1);
	clean_up(keeper, server);
}

static void
make_cluster(const struct keeper *keeper)
{
	char initdb[512];
	const char *const argv[] = { initdb, "-D", "data", "-U", "postgres", "-A",
		"trust", "-E", "UTF8", "--locale=C", "--no-sync", NULL };
	pid_t pid = -1;
	int status = 0;

	snprintf(initdb, sizeof(initdb), "%s/initdb", keeper->bindir);
	pid = spawn(argv);
	while (pid > 0 && waitpid(pid, &status, WNOHANG) == 0) {
		if (is_over(STEP_MS)) {
			stop(pid, SIGTERM);
			clean_up(keeper, 0);
		}
	}
	if (pid < 0 || !WIFEXITED(status) || WEXITSTATUS(status) != 0)
		fail(keeper, 0, "initdb");
}

static pid_t
start_server(const struct keeper *keeper)
{
	char postgres[512];
	char sockets[512];
	/* synchronous_commit and the like stay as they are: what a migration sees is an
	 * ordinary server */
	const char *const argv[] = { postgres, "-D", "data", "-p", "5432", "-c",
		"listen_addresses=", "-c", sockets, "-c", "fsync=off", "-c",
		"full_page_writes=off", "-c", "shared_buffers=32MB", "-c",
		"max_connections=50", "-c", "logging_collector=off", NULL };

	snprintf(postgres, sizeof(postgres), "%s/postgres", keeper->bindir);
	snprintf(
	    sockets, sizeof(sockets), "unix_socket_directories=%s", keeper->directory);
	return spawn(argv);
}

/* PostgreSQL says so in the eighth line of its pid file (PM_STATUS_READY of miscadmin.h). */
static bool
is_ready(void)
{
	char text[PID_BYTES];
	int fd = open("data/postmaster.pid", O_RDONLY | O_CLOEXEC);
	ssize_t len = 0;

	if (fd < 0)
		return false;
	len = read(fd, text, sizeof(text) - 1);
	close(fd);
	text[len > 0 ? len : 0] = '\0';
	return strstr(text, "\nready") != NULL;
}

static void
wait_until_ready(const struct keeper *keeper, pid_t server)
{
	int64_t until_us = clock_mono_us() + START_US;
	int status = 0;

	while (!is_ready()) {
		if (server < 0 || waitpid(server, &status, WNOHANG) == server)
			fail(keeper, 0, "postgres");
		if (clock_mono_us() > until_us)
			fail(keeper, server, "postgres");
		if (is_over(STEP_MS))
			clean_up(keeper, server);
	}
}

/*
 * Out of the daemon's way: a session of our own, so that Ctrl-C is the daemon's to
 * answer, and none of its descriptors.
 */
static void
settle(const struct keeper *keeper)
{
	/* first out of the range in which they are going to be */
	int life = fcntl(keeper->life, F_DUPFD, NEWS + 1);
	int news = fcntl(keeper->news, F_DUPFD, NEWS + 1);
	int null = open("/dev/null", O_RDWR);

	for (int fd = STDIN_FILENO; fd <= STDERR_FILENO; fd++)
		dup2(null, fd);
	dup3(life, LIFE, O_CLOEXEC);
	dup3(news, NEWS, O_CLOEXEC);
	closefrom(NEWS + 1);
	setsid();
	prctl(PR_SET_NAME, "migrationd-keep");
	sigaction(SIGPIPE, &(struct sigaction){ .sa_handler = SIG_IGN }, NULL);
}

_Noreturn void
keeper_main(const struct keeper *keeper)
{
	pid_t server = -1;

	settle(keeper);
	/* from here on as the user who owns the directory, so that no step needs root */
	if (keeper->user &&
	    (initgroups(keeper->user, keeper->gid) < 0 || setgid(keeper->gid) < 0 ||
		setuid(keeper->uid) < 0))
		fail(keeper, 0, "setuid");
	if (chdir(keeper->directory) < 0)
		fail(keeper, 0, "chdir");
	make_cluster(keeper);
	server = start_server(keeper);
	wait_until_ready(keeper, server);
	(void)!write(NEWS, &(char){ KEEPER_READY }, 1);
	is_over(-1);
	clean_up(keeper, server);
}
