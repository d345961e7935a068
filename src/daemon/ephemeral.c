/* SPDX-License-Identifier: PostgreSQL */
#include "daemon/ephemeral.h"

#include <errno.h>
#include <fcntl.h>
#include <glob.h>
#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/bounds.h"
#include "base/file.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/text.h"
#include "daemon/ephemeral_keeper.h"

#define LOG_BYTES   (1u << 20)
#define LOG_LINES   8
#define SOCKET_NAME "/.s.PGSQL.5432"

struct ephemeral {
	const char *url;
	int life; /* write end: the keeper ends when it closes */
	pid_t keeper;
};

/* Where packages put a server that is not in PATH: Debian, Red Hat (PGDG), SUSE, source. */
static const char *const places[] = {
	"/usr/lib/postgresql/*/bin",
	"/usr/pgsql-*/bin",
	"/usr/lib/postgresql*/bin",
	"/usr/local/pgsql/bin",
};

static bool
has_server(const char *directory)
{
	char initdb[512];
	char postgres[512];

	snprintf(initdb, sizeof(initdb), "%s/initdb", directory);
	snprintf(postgres, sizeof(postgres), "%s/postgres", directory);
	return access(initdb, X_OK) == 0 && access(postgres, X_OK) == 0;
}

static char *
find_in_path(const void *ctx)
{
	const char *path = getenv("PATH");

	while (path && *path) {
		size_t len = strcspn(path, ":");
		char *directory = mem_strndup(ctx, path, len);

		/* a relative one would be another after chdir */
		if (directory[0] == '/' && has_server(directory))
			return directory;
		talloc_free(directory);
		path += len;
		path += *path == ':';
	}
	return NULL;
}

/* The newest that matches: "9.6" < "15" < "16". */
static char *
find_by_pattern(const void *ctx, const char *pattern)
{
	glob_t found = { 0 };
	char *newest = NULL;

	if (glob(pattern, 0, NULL, &found) == 0) {
		for (size_t i = 0; i < found.gl_pathc; i++) {
			const char *directory = found.gl_pathv[i];

			if (!has_server(directory) ||
			    (newest && strverscmp(directory, newest) < 0))
				continue;
			talloc_free(newest);
			newest = mem_strdup(ctx, directory);
		}
	}
	globfree(&found);
	return newest;
}

static int
find_bindir(const void *ctx, char **out, struct err *err)
{
	*out = find_in_path(ctx);
	for (size_t i = 0; i < ARRAY_SIZE(places) && !*out; i++)
		*out = find_by_pattern(ctx, places[i]);
	if (*out)
		return 0;
	err_set(err, CAT_CONFIGURATION,
	    "ephemeral: no PostgreSQL server (initdb, postgres) is installed");
	err_hint(
	    err, "apt-get install postgresql, or put the directory of initdb into PATH");
	return -1;
}

/* Who runs the server: ourselves, unless we are root. */
static int
find_user(const void *ctx, struct keeper *keeper, struct err *err)
{
	static const char *const users[] = { "postgres", "nobody" };
	const struct passwd *entry = NULL;

	keeper->uid = geteuid();
	keeper->gid = getegid();
	if (keeper->uid != 0)
		return 0;
	for (size_t i = 0; i < ARRAY_SIZE(users) && !entry; i++)
		entry = getpwnam(users[i]);
	if (!entry)
		return err_set(err, CAT_CONFIGURATION,
		    "ephemeral: PostgreSQL refuses root, and there is no user postgres or nobody");
	keeper->user = mem_strdup(ctx, entry->pw_name);
	keeper->uid = entry->pw_uid;
	keeper->gid = entry->pw_gid;
	return 0;
}

static int
make_directory(const void *ctx, struct keeper *keeper, struct err *err)
{
	static const char name[] = "/migrationd-XXXXXX";
	struct sockaddr_un un;
	const char *parent = getenv("TMPDIR");
	char *path = NULL;

	/* the path of a socket has little room */
	if (!parent || parent[0] != '/' ||
	    strlen(parent) + sizeof(name) + sizeof(SOCKET_NAME) > sizeof(un.sun_path))
		parent = "/tmp";
	path = mem_printf(ctx, "%s%s", parent, name);
	if (!mkdtemp(path))
		return err_set_errno(
		    err, CAT_CONFIGURATION, errno, "ephemeral: mkdtemp %s", path);
	if (keeper->user && chown(path, keeper->uid, keeper->gid) < 0) {
		err_set_errno(err, CAT_CONFIGURATION, errno, "ephemeral: chown %s", path);
		rmdir(path);
		return -1;
	}
	keeper->directory = path;
	return 0;
}

/* The last lines of the server's log into err->detail. */
static void
add_log(const struct keeper *keeper, struct err *err)
{
	void *scratch = mem_context(NULL, "log");
	char *path = mem_printf(scratch, "%s/log", keeper->directory);
	struct err unread = { 0 };
	char *data = NULL;
	size_t len = 0;
	int lines = 0;

	if (file_read(scratch, path, LOG_BYTES, &data, &len, &unread) == 0) {
		while (len > 0 && (data[len - 1] != '\n' || ++lines <= LOG_LINES))
			len--;
		snprintf(err->detail, sizeof(err->detail), "%s", data + len);
	}
	talloc_free(scratch);
}

/* Wait for the keeper's word. The pipe ends without one when it died. */
static int
hear(const struct keeper *keeper, int news, struct err *err)
{
	char word[32] = "";
	ssize_t len = 0;

	do
		len = read(news, word, sizeof(word) - 1);
	while (len < 0 && errno == EINTR);
	if (word[0] == KEEPER_READY)
		return 0;
	err_set(err, CAT_CONFIGURATION,
	    "ephemeral: the private PostgreSQL did not start: %s of %s failed",
	    word[0] ? word : "keeper", keeper->bindir);
	add_log(keeper, err);
	if (err->detail[0])
		err_hint(err, "its log ends: %.900s", err->detail);
	return -1;
}

/* Fork the keeper; it owns the directory from here on. */
static int
start_keeper(struct ephemeral *ephemeral, struct keeper *keeper, struct err *err)
{
	int life[2] = { -1, -1 };
	int news[2] = { -1, -1 };
	int rc = 0;

	if (pipe2(life, O_CLOEXEC) < 0 || pipe2(news, O_CLOEXEC) < 0)
		return err_set_errno(err, CAT_INTERNAL, errno, "ephemeral: pipe");
	keeper->life = life[0];
	keeper->news = news[1];
	ephemeral->keeper = fork();
	if (ephemeral->keeper == 0) {
		close(life[1]); /* or it would never see the end of its own pipe */
		keeper_main(keeper);
	}
	if (ephemeral->keeper < 0)
		rc = err_set_errno(err, CAT_INTERNAL, errno, "ephemeral: fork");
	close(life[0]);
	close(news[1]);
	ephemeral->life = life[1];
	if (rc == 0)
		rc = hear(keeper, news[0], err);
	close(news[0]);
	return rc;
}

/*
 * All that PG* variables could bend is said. PostgreSQL 15 section 34.1.1.1 for the quotes: TMPDIR
 * may have blanks.
 */
static const char *
make_url(const struct ephemeral *ephemeral, const char *directory)
{
	struct text url;

	text_init(&url, ephemeral, BOUND_CONFIG_VALUE);
	text_add(&url, "host='");
	for (const char *c = directory; *c; c++) {
		if (*c == '\'' || *c == '\\')
			text_add_char(&url, '\\');
		text_add_char(&url, *c);
	}
	text_add(&url,
	    "' port=5432 dbname=postgres user=postgres sslmode=disable "
	    "gssencmode=disable");
	return url.data;
}

int
ephemeral_start(const void *ctx, struct ephemeral **out, struct err *err)
{
	struct ephemeral *ephemeral = mem_zero(ctx, struct ephemeral);
	struct keeper keeper = { 0 };
	char *bindir = NULL;

	ephemeral->life = -1;
	if (find_bindir(ephemeral, &bindir, err) < 0 ||
	    find_user(ephemeral, &keeper, err) < 0 ||
	    make_directory(ephemeral, &keeper, err) < 0)
		goto fail;
	keeper.bindir = bindir;
	log_info("starting a private PostgreSQL", LOG_STR("bindir", bindir),
	    LOG_STR("directory", keeper.directory));
	if (start_keeper(ephemeral, &keeper, err) < 0)
		goto fail;
	ephemeral->url = make_url(ephemeral, keeper.directory);
	*out = ephemeral;
	return 0;
fail:
	ephemeral_stop(ephemeral);
	return -1;
}

const char *
ephemeral_url(const struct ephemeral *ephemeral)
{
	return ephemeral->url;
}

void
ephemeral_stop(struct ephemeral *ephemeral)
{
	if (!ephemeral)
		return;
	if (ephemeral->life >= 0)
		close(ephemeral->life);
	if (ephemeral->keeper > 0) {
		while (waitpid(ephemeral->keeper, NULL, 0) < 0 && errno == EINTR)
			;
	}
	talloc_free(ephemeral);
}
