/* SPDX-License-Identifier: PostgreSQL */
#include "db/child_fork.h"

#include <errno.h>
#include <signal.h>
#include <stdbool.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

/*
 * Between fork and exec only functions that are safe in a signal handler: libuv's threads are gone
 * in the fork, and so is whatever they held.
 */

static void
set_handler(int signum, void (*handler)(int signum))
{
	(void)sigaction(signum, &(struct sigaction){ .sa_handler = handler }, NULL);
}

/* As it was when migrationd began, SIGPIPE too, which it ignores. */
static void
reset_signals(void)
{
	sigset_t none;

	for (int signum = 1; signum < NSIG; signum++)
		set_handler(signum, SIG_DFL);
	(void)sigemptyset(&none);
	(void)sigprocmask(SIG_SETMASK, &none, NULL);
}

static _Noreturn void
program(char *const *argv, char *const *environ, const struct child_pipes *pipes)
{
	(void)prctl(PR_SET_PDEATHSIG, SIGKILL);
	reset_signals();
	for (int fd = 0; fd < 3; fd++) {
		if (dup2(pipes->theirs[fd], fd) < 0)
			_exit(126);
	}
	closefrom(3);
	(void)execvpe(argv[0], argv, environ);
	_exit(errno == ENOENT ? 127 : 126);
}

/* migrationd is dead: so is all that it started, ourselves included. */
static void
on_orphaned(int signum)
{
	(void)signum;
	(void)kill(0, SIGKILL);
}

static _Noreturn void
guard(char *const *argv, char *const *environ, const struct child_pipes *pipes,
    pid_t parent)
{
	int status = 0;
	pid_t pid = 0;

	(void)setsid();
	reset_signals();
	set_handler(SIGUSR1, on_orphaned);
	/* a polite end is for the program */
	set_handler(SIGTERM, SIG_IGN);
	(void)prctl(PR_SET_PDEATHSIG, SIGUSR1);
	(void)prctl(PR_SET_NAME, "migrationd-wait");
	if (getppid() != parent) /* it died before we could ask for the signal */
		_exit(127);
	pid = _Fork();
	if (pid == 0)
		program(argv, environ, pipes);
	closefrom(0); /* or who reads would never see the end */
	while (pid > 0 && waitpid(pid, &status, 0) < 0 && errno == EINTR)
		continue;
	if (pid < 0)
		_exit(126);
	_exit(WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status));
}

pid_t
child_fork(char *const *argv, char *const *environ, const struct child_pipes *pipes)
{
	pid_t parent = getpid();
	sigset_t all, before;
	pid_t pid = -1;

	/* a signal in the fork would run libuv's handler, which writes to our loop */
	(void)sigfillset(&all);
	(void)pthread_sigmask(SIG_SETMASK, &all, &before);
	pid = fork();
	if (pid == 0)
		guard(argv, environ, pipes, parent);
	(void)pthread_sigmask(SIG_SETMASK, &before, NULL);
	return pid;
}

void
child_signal(pid_t guard_pid, int signum)
{
	/* no such group yet: the guard has not even begun, and there is no program */
	if (kill(-guard_pid, signum) < 0 && errno == ESRCH)
		(void)kill(guard_pid, SIGKILL);
}
