/* SPDX-License-Identifier: PostgreSQL */
#include "base/file_beneath.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/openat2.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#define LINKS_MAX 40u /* path_resolution(7): what the kernel itself allows in one name */
#define DEPTH_MAX 64u

/* A name on its way. The folders entered stay open, so that ".." is the one we came through,
 * wherever somebody moves it meanwhile. */
struct walk {
	int root;
	int dirs[DEPTH_MAX];
	size_t depth;
	unsigned links;
	char pending[2 * PATH_MAX]; /* what is left of the name */
};

static int
fail(int errnum)
{
	errno = errnum;
	return -1;
}

static int
walk_here(const struct walk *walk)
{
	return walk->depth > 0 ? walk->dirs[walk->depth - 1] : walk->root;
}

static int
walk_up(struct walk *walk)
{
	if (walk->depth == 0)
		return fail(EXDEV);
	close(walk->dirs[--walk->depth]);
	return 0;
}

static int
walk_down(struct walk *walk, const char *name)
{
	int fd = -1;

	if (walk->depth == DEPTH_MAX)
		return fail(ENAMETOOLONG);
	fd = openat(walk_here(walk), name, O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (fd >= 0)
		walk->dirs[walk->depth++] = fd;
	return fd < 0 ? -1 : 0;
}

/* Put the text of the link `name` before what is pending. */
static int
walk_link(struct walk *walk, const char *name)
{
	char text[sizeof(walk->pending)];
	size_t left = strlen(walk->pending) + 1;
	ssize_t len = readlinkat(walk_here(walk), name, text, PATH_MAX);

	/* a name that grows beyond all measure is one of links that loop */
	if (len < 0 || walk->links++ == LINKS_MAX || (size_t)len + left > sizeof(text))
		return fail(ELOOP);
	if (text[0] == '/')
		return fail(EXDEV);
	memcpy(text + len, walk->pending, left);
	memcpy(walk->pending, text, (size_t)len + left);
	return 0;
}

/* Cut the first component off what is pending: "" when there is none left. */
static int
walk_next(struct walk *walk, char name[NAME_MAX + 1])
{
	const char *start = walk->pending + strspn(walk->pending, "/");
	size_t len = strcspn(start, "/");

	if (len > NAME_MAX)
		return fail(ENAMETOOLONG);
	memcpy(name, start, len);
	name[len] = '\0';
	memmove(walk->pending, start + len, strlen(start + len) + 1);
	return 0;
}

static int
walk_take(struct walk *walk, const char *name, int flags, int *found)
{
	*found = openat(walk_here(walk), name, flags | O_NOFOLLOW | O_CLOEXEC);
	return *found < 0 ? -1 : 0;
}

/* Take one component; `*found` is set by the last one. Between the look and the next call the
 * name may become something else: no call follows a link, so the worst is an error. */
static int
walk_step(struct walk *walk, const char *name, int flags, int *found)
{
	struct stat st = { 0 };

	if (!name[0])
		return walk_take(walk, ".", flags, found);
	if (strcmp(name, ".") == 0)
		return 0;
	if (strcmp(name, "..") == 0)
		return walk_up(walk);
	if (fstatat(walk_here(walk), name, &st, AT_SYMLINK_NOFOLLOW) < 0)
		return -1;
	if (S_ISLNK(st.st_mode))
		return walk_link(walk, name);
	if (S_ISDIR(st.st_mode))
		return walk_down(walk, name);
	if (walk->pending[0] == '/')
		return fail(ENOTDIR);
	return walk_take(walk, name, flags, found);
}

static int
walk_open(int root, const char *path, int flags)
{
	struct walk walk = { .root = root };
	char name[NAME_MAX + 1] = "";
	int found = -1;
	int errnum = 0;
	int rc = 0;

	if (!path[0] || path[0] == '/')
		return fail(path[0] ? EXDEV : ENOENT);
	if (strlen(path) >= PATH_MAX)
		return fail(ENAMETOOLONG);
	memcpy(walk.pending, path, strlen(path));
	while (rc == 0 && found < 0) {
		rc = walk_next(&walk, name);
		if (rc == 0)
			rc = walk_step(&walk, name, flags, &found);
	}
	errnum = errno;
	while (walk.depth > 0)
		walk_up(&walk);
	errno = errnum;
	return found;
}

static int
kernel_open(int root, const char *path, int flags)
{
	struct open_how how = {
		.flags = (unsigned)(flags | O_CLOEXEC),
		.resolve = RESOLVE_BENEATH | RESOLVE_NO_MAGICLINKS,
	};
	unsigned tries = 8;
	int fd = -1;

	/* EAGAIN: somebody renames in the neighbourhood; openat2(2) says to try again */
	do {
		fd = (int)syscall(SYS_openat2, root, path, &how, sizeof(how));
	} while (fd < 0 && errno == EAGAIN && --tries > 0);
	return fd;
}

int
file_beneath_open(struct file_dir *dir, const char *name, int flags)
{
	int fd = -1;

	if (!dir->no_openat2) {
		fd = kernel_open(dir->fd, name, flags);
		dir->no_openat2 = fd < 0 && (errno == ENOSYS || errno == EPERM);
	}
	return dir->no_openat2 ? walk_open(dir->fd, name, flags) : fd;
}
