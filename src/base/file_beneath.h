/* SPDX-License-Identifier: PostgreSQL */
#pragma once

/*
 * Opening a name that must not lead out of a folder. For file.c alone; others use base/file.h.
 *
 * The kernel does it where it can (openat2 with RESOLVE_BENEATH, Linux 5.6). Elsewhere, and in
 * sandboxes that answer openat2 with ENOSYS or EPERM, we walk the name ourselves: one component
 * at a time, no link followed by the kernel. Both give the same verdicts:
 *
 *	EXDEV	an absolute name or link, or ".." above the folder
 *	ELOOP	more than 40 links in one name
 *	others	as open(2)
 *
 * Only the walk gives ENAMETOOLONG beyond 64 folders deep.
 */

#include "base/file.h"

/* Open `name` beneath `dir` with the given flags of open(2); O_CLOEXEC is added. Returns the
 * descriptor, or -1 with errno. Sets dir->no_openat2 when the kernel has no openat2. */
int file_beneath_open(struct file_dir *dir, const char *name, int flags) MUST_CHECK;
