/* SPDX-License-Identifier: PostgreSQL */
#pragma once

/*
 * Reading a folder and its files safely.
 *
 * All files of one scan are opened beneath one directory descriptor, so that a folder that is
 * swapped in the middle (git-sync) cannot give a mix of two versions, and so that no name or link
 * reaches outside: openat2(RESOLVE_BENEATH | RESOLVE_NO_MAGICLINKS), and where the kernel lacks it
 * (or a sandbox hides it) a walk of our own with the same verdicts. Links that stay inside the
 * folder work, as ConfigMaps need them. Those swap a link inside the folder (..data): there a scan
 * is one version only if the stamps of a second one are the same (stamp).
 *
 *	struct file_dir *dir;
 *	struct file_list list;
 *	char *data; size_t len;
 *
 *	if (file_dir_open(ctx, "/srv/migrations", &dir, err) < 0) ...
 *	if (file_dir_list(dir, ctx, "", &list, err) < 0) ...
 *	if (file_dir_read(dir, ctx, "0001_init.sql", BOUND_FILE_BYTES, &data, &len, err) < 0) ...
 *
 * Only regular files are read; a fifo, device or directory is an error, never a hang.
 */

#include <stdbool.h>
#include <stddef.h>
#include <sys/stat.h>

#include "base/err.h"
#include "base/macros.h"

struct file_dir {
	int fd;
	char *path;      /* as given, for messages */
	bool no_openat2; /* use the fallback walk; set on ENOSYS or EPERM, and by tests */
	dev_t device;    /* of the directory behind `path`, links followed */
	ino_t inode;
	unsigned long long stamp; /* sizes and mtimes of all files read so far */
};

struct file_list {
	char **names; /* sorted by bytes; those that start with '.' are left out */
	size_t n;
};

/* Open a folder. Closed when the struct is freed (talloc destructor). RESOURCE_NOT_FOUND when
 * there is none. */
int file_dir_open(
    const void *ctx, const char *path, struct file_dir **out, struct err *err) MUST_CHECK;

/* Names in the sub-folder `sub` ("" for the folder itself). CONFIGURATION when it has more than
 * BOUND_FOLDER_FILES entries, hidden ones included. */
int file_dir_list(struct file_dir *dir, const void *ctx, const char *sub,
    struct file_list *out, struct err *err) MUST_CHECK;

/* Whether a regular file of that name can be opened beneath the folder. */
bool file_dir_has(struct file_dir *dir, const char *name);

/* Of a regular file: another number once it is another file or was written to. 0: there is none. */
unsigned long long file_dir_stamp(struct file_dir *dir, const char *name);

/*
 * The whole file, NUL-terminated behind its `*len` bytes, owned by `ctx`. Errors:
 * SECURITY_VIOLATION (leaves the folder), RESOURCE_NOT_FOUND (missing, not a regular file,
 * unreadable), PERMISSION_DENIED, CONFIGURATION (larger than `max`). err names the file.
 */
int file_dir_read(struct file_dir *dir, const void *ctx, const char *name, size_t max,
    char **data, size_t *len, struct err *err) MUST_CHECK;

/*
 * One number for the folder at `path`: another once a name in it or in the folders in it is, or is
 * another file, or was written to. No file is opened, so it is cheap. 0: there is no such folder.
 */
unsigned long long file_stamp_folder(const char *path);

/* A file anywhere, by path: configuration, token, password. Links are followed. */
int file_read(const void *ctx, const char *path, size_t max, char **data, size_t *len,
    struct err *err) MUST_CHECK;

/* A one-line secret from a file of at most BOUND_SECRET_BYTES: the newline at its end removed;
 * empty, a second line or a NUL byte are refused with CONFIGURATION. `*loose` (may be NULL)
 * tells that others than the owner and group may read it, or write their own. */
int file_read_secret(const void *ctx, const char *path, char **secret, bool *loose,
    struct err *err) MUST_CHECK;

/*
 * Open what is closed of standard input, output and error, on /dev/null. First in a main: else
 * the next socket would be one of them, and what is printed would go to the server; and libuv
 * aborts when it is to close one.
 */
void file_open_standard(void);
