/* SPDX-License-Identifier: PostgreSQL */
#include "base/file_write.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/digest.h"
#include "base/mem.h"

/* The folder of a path: "." where it names none. */
static char *
folder_of(const void *ctx, const char *path)
{
	const char *slash = strrchr(path, '/');

	if (slash == NULL)
		return mem_strdup(ctx, ".");
	return mem_strndup(ctx, path, slash == path ? 1 : (size_t)(slash - path));
}

/* All bytes, and on disk. -1 with errno. */
static int
fill(int fd, const char *data, size_t len)
{
	while (len > 0) {
		ssize_t n = write(fd, data, len);

		if (n < 0 && errno != EINTR)
			return -1;
		if (n > 0) {
			data += n;
			len -= (size_t)n;
		}
	}
	return fsync(fd);
}

/* So that the new name survives a crash; where a folder cannot be flushed it is as good. */
static void
flush_folder(const char *folder)
{
	int fd = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	if (fd >= 0) {
		(void)fsync(fd);
		close(fd);
	}
}

static int
write_beside(const char *beside, mode_t mode, const void *data, size_t len)
{
	int fd = open(beside, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, mode);
	int rc, saved;

	if (fd < 0)
		return -1;
	rc = fill(fd, data, len);
	saved = errno;
	close(fd);
	errno = saved;
	return rc;
}

static int
write_file(const char *path, const void *data, size_t len, bool over, struct err *err)
{
	void *scratch = mem_context(NULL, "file write");
	const char *folder = folder_of(scratch, path);
	const char *slash = strrchr(path, '/');
	const char *name = slash != NULL ? slash + 1 : path;
	/* by chance, not by pid: in a container that of one that crashed comes again */
	const char *beside = mem_printf(
	    scratch, "%s/.%s.%08" PRIx32 ".tmp", folder, name, digest_random(UINT32_MAX));
	struct stat old;
	mode_t mode = over && stat(path, &old) == 0 ? old.st_mode & 07777 : 0644;
	bool written = write_beside(beside, mode, data, len) == 0;
	int rc = -1;

	/* link(2) refuses a name that is taken, which rename(2) does not */
	if (written)
		rc = over ? rename(beside, path) : link(beside, path);
	if (rc < 0 && written && errno == EEXIST) {
		err_set(err, CAT_CONFIGURATION, "%s is there already", path);
		err->exit_code = EXIT_FILES;
	} else if (rc < 0) {
		err_set_errno(err, CAT_CONFIGURATION, errno, "cannot write %s", path);
	}
	if (rc < 0 || !over)
		unlink(beside);
	if (rc == 0)
		flush_folder(folder);
	talloc_free(scratch);
	return rc;
}

int
file_write_new(const char *path, const void *data, size_t len, struct err *err)
{
	return write_file(path, data, len, false, err);
}

int
file_write_over(const char *path, const void *data, size_t len, struct err *err)
{
	return write_file(path, data, len, true, err);
}
