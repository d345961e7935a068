/* SPDX-License-Identifier: PostgreSQL */
#include "base/file.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/bounds.h"
#include "base/file_beneath.h"
#include "base/mem.h"
#include "base/secret.h"

/* O_NONBLOCK: opening a fifo must not wait for its writer. */
#define READ_FLAGS (O_RDONLY | O_NONBLOCK | O_CLOEXEC | O_NOCTTY)
#define LIST_FLAGS (O_RDONLY | O_DIRECTORY | O_CLOEXEC)

static void
close_fd(int fd)
{
	if (fd >= 0)
		close(fd);
}

/* Set the error for `name`; errno tells why. */
static int
fail_errno(struct err *err, const char *name, const char *what)
{
	int errnum = errno;

	if (errnum == EXDEV) {
		err_set(err, CAT_SECURITY_VIOLATION, "leads out of the folder");
		err_hint(err, "keep links relative and inside the migrations folder");
	} else {
		err_set_errno(err, CAT_RESOURCE_NOT_FOUND, errnum, "%s", what);
	}
	err_where(err, name, 0);
	return -1;
}

static int
close_dir(struct file_dir *dir)
{
	close_fd(dir->fd);
	return 0;
}

int
file_dir_open(const void *ctx, const char *path, struct file_dir **out, struct err *err)
{
	struct file_dir *dir = mem_zero(ctx, struct file_dir);
	struct stat st = { 0 };

	dir->path = mem_strdup(dir, path);
	dir->fd = open(path, LIST_FLAGS);
	talloc_set_destructor(dir, close_dir);
	if (dir->fd < 0 || fstat(dir->fd, &st) < 0) {
		err_set_errno(err, CAT_RESOURCE_NOT_FOUND, errno,
		    "cannot open the folder %s", path);
		talloc_free(dir);
		return -1;
	}
	dir->device = st.st_dev;
	dir->inode = st.st_ino;
	*out = dir;
	return 0;
}

static int
compare_names(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

static void
list_add(struct file_list *list, const void *ctx, const char *name)
{
	/* full at each power of two */
	if ((list->n & (list->n - 1)) == 0)
		list->names =
		    mem_grow(ctx, list->names, char *, list->n ? 2 * list->n : 1);
	list->names[list->n++] = mem_strdup(list->names, name);
}

/* The visible names of `stream`. 0 or the errno; EOVERFLOW when there are too many entries. */
static int
read_names(DIR *stream, const void *ctx, struct file_list *list)
{
	struct dirent *entry = NULL;

	for (size_t seen = 0; seen < BOUND_FOLDER_FILES + 3;
	     seen++) { /* "." and ".." too */
		errno = 0;
		entry = readdir(stream);
		if (!entry)
			return errno;
		if (entry->d_name[0] != '.')
			list_add(list, ctx, entry->d_name);
	}
	return EOVERFLOW;
}

int
file_dir_list(struct file_dir *dir, const void *ctx, const char *sub,
    struct file_list *out, struct err *err)
{
	const char *name = sub[0] ? sub : dir->path;
	int fd = file_beneath_open(dir, sub[0] ? sub : ".", LIST_FLAGS);
	DIR *stream = fd < 0 ? NULL : fdopendir(fd);
	void *scratch = mem_context(ctx, "file_list");
	struct file_list list = { 0 };
	int rc = -1;

	if (!stream) {
		fail_errno(err, name, "cannot open the folder");
		close_fd(fd);
		goto out;
	}
	switch (read_names(stream, scratch, &list)) {
	case 0:
		break;
	case EOVERFLOW:
		err_set(err, CAT_CONFIGURATION, "the folder has more than %u entries",
		    BOUND_FOLDER_FILES);
		err_where(err, name, 0);
		goto out;
	default:
		fail_errno(err, name, "cannot list the folder");
		goto out;
	}
	if (list.n > 0)
		qsort(list.names, list.n, sizeof(*list.names), compare_names);
	*out = (struct file_list){ talloc_steal(ctx, list.names), list.n };
	rc = 0;
out:
	if (stream)
		closedir(stream);
	talloc_free(scratch);
	return rc;
}

/*
 * Read to the end. `expected` is the length so far: a file that grows meanwhile is read on, up to
 * `max`. -1 with errno; EFBIG when it is larger.
 */
static int
read_to_end(
    int fd, const void *ctx, size_t expected, size_t max, char **data, size_t *len)
{
	size_t cap = expected + 1; /* the one more finds the end */
	char *buf = NULL;
	size_t used = 0;
	ssize_t n = 0;
	int errnum = 0;

	if (expected > max) {
		errno = EFBIG;
		return -1;
	}
	buf = mem_grow(ctx, NULL, char, cap + 1);
	do {
		if (used == cap) {
			cap = cap > max / 2 ? max + 1 : cap * 2;
			buf = mem_grow(ctx, buf, char, cap + 1);
		}
		n = read(fd, buf + used, cap - used);
		used += n > 0 ? (size_t)n : 0;
	} while (used <= max && (n > 0 || (n < 0 && errno == EINTR)));
	if (n < 0 || used > max) {
		errnum = n < 0 ? errno : EFBIG;
		talloc_free(buf);
		errno = errnum;
		return -1;
	}
	buf[used] = '\0';
	*data = buf;
	*len = used;
	return 0;
}

/* Read the regular file `fd`, which is closed; -1 stands for an open that failed, with errno. */
static int
read_regular(int fd, const void *ctx, const char *name, size_t max, struct stat *st,
    char **data, size_t *len, struct err *err)
{
	int rc = -1;

	/* a socket cannot be opened at all: ENXIO */
	if ((fd < 0 && errno == ENXIO) ||
	    (fd >= 0 && fstat(fd, st) == 0 && !S_ISREG(st->st_mode))) {
		err_set(err, CAT_RESOURCE_NOT_FOUND, "is not a regular file");
		err_hint(err, "put a file in its place, or name it otherwise");
		err_where(err, name, 0);
		goto out;
	}
	if (fd < 0) {
		fail_errno(err, name, "cannot be opened");
		goto out;
	}
	/* `st` is as it stands after reading: two equal looks then tell that nothing was
	 * written while the file was read. */
	rc = read_to_end(fd, ctx, (size_t)st->st_size, max, data, len);
	if (rc == 0)
		rc = fstat(fd, st);
	if (rc < 0 && errno == EFBIG) {
		err_set(err, CAT_CONFIGURATION, "is larger than the maximum of %zu bytes",
		    max);
		err_where(err, name, 0);
	} else if (rc < 0) {
		fail_errno(err, name, "cannot be read");
	}
out:
	close_fd(fd);
	return rc;
}

/* FNV-1a, over numbers of eight bytes. */
static unsigned long long
fold(unsigned long long stamp, long long value)
{
	return (stamp ^ (unsigned long long)value) * 1099511628211ull;
}

int
file_dir_read(struct file_dir *dir, const void *ctx, const char *name, size_t max,
    char **data, size_t *len, struct err *err)
{
	int fd = file_beneath_open(dir, name, READ_FLAGS);
	struct stat st = { 0 };

	if (read_regular(fd, ctx, name, max, &st, data, len, err) < 0)
		return -1;
	dir->stamp = fold(dir->stamp, st.st_size);
	dir->stamp = fold(dir->stamp, st.st_mtim.tv_sec);
	dir->stamp = fold(dir->stamp, st.st_mtim.tv_nsec);
	return 0;
}

bool
file_dir_has(struct file_dir *dir, const char *name)
{
	int fd = file_beneath_open(dir, name, READ_FLAGS);
	struct stat st = { 0 };
	bool has = fd >= 0 && fstat(fd, &st) == 0 && S_ISREG(st.st_mode);

	close_fd(fd);
	return has;
}

static unsigned long long
stamp_stat(const struct stat *st)
{
	unsigned long long stamp = fold(1, (long long)st->st_ino);

	stamp = fold(stamp, st->st_size);
	stamp = fold(stamp, st->st_ctim.tv_sec);
	return fold(stamp, st->st_ctim.tv_nsec);
}

unsigned long long
file_dir_stamp(struct file_dir *dir, const char *name)
{
	int fd = file_beneath_open(dir, name, READ_FLAGS);
	unsigned long long stamp = 0;
	struct stat st = { 0 };

	if (fd >= 0 && fstat(fd, &st) == 0 && S_ISREG(st.st_mode))
		stamp = stamp_stat(&st);
	close_fd(fd);
	return stamp;
}

static unsigned long long
fold_name(unsigned long long stamp, const char *name)
{
	for (; *name; name++)
		stamp = fold(stamp, *name);
	return fold(stamp, 0);
}

/* Of what is in `sub`, and `depth` folders further down. Nothing is opened but folders. */
static unsigned long long
stamp_list(struct file_dir *dir, const void *scratch, const char *sub, unsigned depth)
{
	unsigned long long stamp = 1;
	struct file_list list = { 0 };
	struct err err = { 0 };

	if (file_dir_list(dir, scratch, sub, &list, &err) < 0)
		return 0;
	for (size_t i = 0; i < list.n; i++) {
		const char *name =
		    mem_printf(scratch, "%s%s%s", sub, *sub ? "/" : "", list.names[i]);
		struct stat st = { 0 };

		stamp = fold_name(stamp, name);
		if (fstatat(dir->fd, name, &st, 0) < 0)
			continue;
		stamp = fold(stamp, (long long)stamp_stat(&st));
		if (S_ISDIR(st.st_mode) && depth > 0)
			stamp = fold(
			    stamp, (long long)stamp_list(dir, scratch, name, depth - 1));
	}
	return stamp;
}

unsigned long long
file_stamp_folder(const char *path)
{
	void *scratch = mem_context(NULL, "stamp");
	unsigned long long stamp = 0;
	struct file_dir *dir = NULL;
	struct err err = { 0 };

	if (file_dir_open(scratch, path, &dir, &err) == 0)
		stamp = stamp_list(dir, scratch, "", 1);
	talloc_free(scratch);
	return stamp;
}

int
file_read(const void *ctx, const char *path, size_t max, char **data, size_t *len,
    struct err *err)
{
	struct stat st = { 0 };

	return read_regular(open(path, READ_FLAGS), ctx, path, max, &st, data, len, err);
}

int
file_read_secret(
    const void *ctx, const char *path, char **secret, bool *loose, struct err *err)
{
	const char *problem = NULL;
	struct stat st = { 0 };
	char *data = NULL;
	size_t len = 0;

	if (read_regular(open(path, READ_FLAGS), ctx, path, BOUND_SECRET_BYTES, &st,
		&data, &len, err) < 0)
		return -1;
	problem = secret_take(data, len);
	if (problem) {
		err_set(err, CAT_CONFIGURATION, "%s", problem);
		err_where(err, path, 0);
		talloc_free(data);
		return -1;
	}
	if (loose)
		*loose = (st.st_mode & (S_IROTH | S_IWOTH)) != 0;
	*secret = data;
	return 0;
}

void
file_open_standard(void)
{
	int fd;

	do {
		fd = open("/dev/null", O_RDWR);
	} while (fd >= 0 && fd <= STDERR_FILENO);
	if (fd > STDERR_FILENO)
		close(fd);
}
