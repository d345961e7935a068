/* SPDX-License-Identifier: PostgreSQL */
#include <dirent.h>
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <limits.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/bounds.h"
#include "base/file.h"
#include "base/file_beneath.h"
#include "base/mem.h"

/*
 * Two calls of libc are ours, for failures that no folder can be made to give. They stand before
 * libc's own because the program is searched first.
 */
static int fail_openat2; /* errno of the calls to come; 0: let them through */
static unsigned fail_openat2_times;
static int fail_readdir;

long syscall(long number, ...);

long
syscall(long number, ...)
{
	long (*real)(long, ...) = (long (*)(long, ...))dlsym(RTLD_NEXT, "syscall");
	long args[6];
	va_list ap;

	va_start(ap, number);
	for (size_t i = 0; i < ARRAY_SIZE(args); i++)
		args[i] = va_arg(ap, long);
	va_end(ap);
	if (number == SYS_openat2 && fail_openat2_times > 0) {
		fail_openat2_times--;
		errno = fail_openat2;
		return -1;
	}
	return real(number, args[0], args[1], args[2], args[3], args[4], args[5]);
}

struct dirent *
readdir(DIR *stream)
{
	struct dirent *(*real)(DIR *) =
	    (struct dirent * (*)(DIR *)) dlsym(RTLD_NEXT, "readdir");

	if (!fail_readdir)
		return real(stream);
	errno = fail_readdir;
	return NULL;
}

/* A folder of its own for each test. */
struct fixture {
	char path[PATH_MAX];
	struct file_dir *dir;
	struct err err;
};

static const char *
path_of(const struct fixture *f, const char *name)
{
	return mem_printf(f->dir, "%s/%s", f->path, name);
}

static void
write_file(const struct fixture *f, const char *name, const char *data)
{
	FILE *file = fopen(path_of(f, name), "w");

	assert_non_null(file);
	assert_true(fputs(data, file) >= 0);
	assert_int_equal(fclose(file), 0);
}

static void
make_folder(const struct fixture *f, const char *name)
{
	assert_int_equal(mkdir(path_of(f, name), 0755), 0);
}

static void
make_link(const struct fixture *f, const char *name, const char *target)
{
	assert_int_equal(symlink(target, path_of(f, name)), 0);
}

static int
setup(void **state)
{
	struct fixture *f = mem_zero(NULL, struct fixture);
	const char *tmp = getenv("TMPDIR");

	snprintf(f->path, sizeof(f->path), "%s/test_file.XXXXXX", tmp ? tmp : "/tmp");
	assert_non_null(mkdtemp(f->path));
	assert_int_equal(file_dir_open(f, f->path, &f->dir, &f->err), 0);
	*state = f;
	return 0;
}

static int
remove_entry(const char *path, const struct stat *st, int type, struct FTW *ftw)
{
	(void)st;
	(void)type;
	(void)ftw;
	return remove(path);
}

static int
teardown(void **state)
{
	struct fixture *f = *state;

	fail_openat2_times = 0;
	fail_readdir = 0;
	nftw(f->path, remove_entry, 16, FTW_DEPTH | FTW_PHYS);
	return talloc_free(f);
}

static void
assert_read(struct fixture *f, const char *name, const char *expected)
{
	char *data = NULL;
	size_t len = 99;

	assert_int_equal(file_dir_read(f->dir, f, name, 1000, &data, &len, &f->err), 0);
	assert_int_equal(len, strlen(expected));
	assert_string_equal(data, expected);
	assert_ptr_equal(talloc_parent(data), f);
	assert_false(err_is_set(&f->err));
}

static void
assert_refused(
    struct fixture *f, const char *name, enum category category, const char *text)
{
	char *data = NULL;
	size_t len = 0;

	err_clear(&f->err);
	assert_int_equal(file_dir_read(f->dir, f, name, 1000, &data, &len, &f->err), -1);
	assert_int_equal(f->err.category, category);
	assert_string_equal(f->err.text, text);
	assert_string_equal(f->err.file, name);
	assert_null(data);
	err_clear(&f->err);
}

static void
test_open_a_folder(void **state)
{
	struct fixture *f = *state;
	struct file_dir *dir = NULL;
	struct stat st = { 0 };
	int fd = -1;

	assert_int_equal(stat(f->path, &st), 0);
	assert_string_equal(f->dir->path, f->path);
	assert_true(f->dir->device == st.st_dev && f->dir->inode == st.st_ino);

	/* through a link, as git-sync makes it: the folder behind it */
	make_folder(f, "real");
	make_link(f, "link", "real");
	assert_int_equal(stat(path_of(f, "real"), &st), 0);
	assert_int_equal(file_dir_open(f, path_of(f, "link"), &dir, &f->err), 0);
	assert_true(dir->inode == st.st_ino);
	fd = dir->fd;
	talloc_free(dir);
	assert_int_equal(fcntl(fd, F_GETFD), -1);

	dir = NULL;
	assert_int_equal(file_dir_open(f, path_of(f, "none"), &dir, &f->err), -1);
	assert_int_equal(f->err.category, CAT_RESOURCE_NOT_FOUND);
	assert_non_null(strstr(f->err.text, path_of(f, "none")));
	assert_null(dir);
	err_clear(&f->err);
	write_file(f, "file", "");
	assert_int_equal(file_dir_open(f, path_of(f, "file"), &dir, &f->err), -1);
	assert_int_equal(f->err.category, CAT_RESOURCE_NOT_FOUND);
}

static void
test_list(void **state)
{
	static const char *const expected[] = { "0001.sql", "10.sql", "9.sql", "A", "a",
		"\xC3\xBC" };
	struct fixture *f = *state;
	struct file_list list = { 0 };

	assert_int_equal(file_dir_list(f->dir, f, "", &list, &f->err), 0);
	assert_int_equal(list.n, 0);

	make_folder(f, "a");
	write_file(f, "9.sql", "");
	write_file(f, "10.sql", "");
	write_file(f, ".hidden", "");
	make_link(f, "\xC3\xBC", "nowhere");
	write_file(f, "0001.sql", "");
	make_folder(f, "A");
	make_folder(f, "..data");
	assert_int_equal(file_dir_list(f->dir, f, "", &list, &f->err), 0);
	assert_int_equal(list.n, ARRAY_SIZE(expected));
	for (size_t i = 0; i < list.n; i++)
		assert_string_equal(list.names[i], expected[i]);
	assert_ptr_equal(talloc_parent(list.names), f);

	write_file(f, "a/b.sql", "");
	assert_int_equal(file_dir_list(f->dir, f, "a", &list, &f->err), 0);
	assert_int_equal(list.n, 1);
	assert_string_equal(list.names[0], "b.sql");
}

static void
test_list_refuses(void **state)
{
	static const struct {
		const char *sub;
		enum category category;
	} rows[] = {
		{ "none", CAT_RESOURCE_NOT_FOUND },
		{ "file", CAT_RESOURCE_NOT_FOUND },
		{ "..", CAT_SECURITY_VIOLATION },
		{ "/", CAT_SECURITY_VIOLATION },
		{ "out", CAT_SECURITY_VIOLATION },
	};
	struct fixture *f = *state;
	struct file_list list = { 0 };

	write_file(f, "file", "");
	make_link(f, "out", "..");
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		assert_int_equal(
		    file_dir_list(f->dir, f, rows[i].sub, &list, &f->err), -1);
		assert_int_equal(f->err.category, rows[i].category);
		assert_string_equal(f->err.file, rows[i].sub);
		err_clear(&f->err);
	}

	fail_readdir = EIO;
	assert_int_equal(file_dir_list(f->dir, f, "", &list, &f->err), -1);
	assert_string_equal(f->err.text, "cannot list the folder: Input/output error");
	assert_string_equal(f->err.file, f->path);
	assert_null(list.names);
}

static void
test_list_has_a_bound(void **state)
{
	struct fixture *f = *state;
	struct file_list list = { 0 };
	char name[32];

	write_file(f, "first", "");
	for (unsigned i = 1; i < BOUND_FOLDER_FILES; i++) {
		snprintf(name, sizeof(name), "%06u", i);
		assert_int_equal(linkat(f->dir->fd, "first", f->dir->fd, name, 0), 0);
	}
	assert_int_equal(file_dir_list(f->dir, f, "", &list, &f->err), 0);
	assert_int_equal(list.n, BOUND_FOLDER_FILES);
	write_file(f, ".hidden", ""); /* looked at, too */
	assert_int_equal(file_dir_list(f->dir, f, "", &list, &f->err), -1);
	assert_int_equal(f->err.category, CAT_CONFIGURATION);
	assert_string_equal(f->err.text, "the folder has more than 20000 entries");
}

static void
test_read(void **state)
{
	struct fixture *f = *state;
	char *data = NULL;
	size_t len = 0;

	write_file(f, "empty", "");
	write_file(f, "ten", "0123456789");
	assert_read(f, "empty", "");
	assert_read(f, "ten", "0123456789");
	assert_int_equal(file_dir_read(f->dir, f, "ten", 10, &data, &len, &f->err), 0);
	assert_int_equal(len, 10);
	data = NULL;
	assert_int_equal(file_dir_read(f->dir, f, "ten", 9, &data, &len, &f->err), -1);
	assert_int_equal(f->err.category, CAT_CONFIGURATION);
	assert_string_equal(f->err.text, "is larger than the maximum of 9 bytes");
	assert_string_equal(f->err.file, "ten");
	assert_null(data);
	err_clear(&f->err);
	assert_int_equal(file_dir_read(f->dir, f, "empty", 0, &data, &len, &f->err), 0);
	assert_int_equal(len, 0);
}

/* Files of /proc say that they are empty, so reading them is reading files that grow. */
static void
test_read_a_growing_file(void **state)
{
	struct fixture *f = *state;
	char *data = NULL;
	size_t len = 0;

	assert_int_equal(
	    file_read(f, "/proc/self/maps", 1u << 20, &data, &len, &f->err), 0);
	assert_true(len > 1000);
	assert_int_equal(strlen(data), len);
	data = NULL;
	for (size_t max = 0; max < 200; max++) {
		assert_int_equal(
		    file_read(f, "/proc/self/maps", max, &data, &len, &f->err), -1);
		assert_int_equal(f->err.category, CAT_CONFIGURATION);
		assert_null(data);
		err_clear(&f->err);
	}
	/* the first page of memory is not there */
	assert_int_equal(file_read(f, "/proc/self/mem", 1000, &data, &len, &f->err), -1);
	assert_string_equal(f->err.text, "cannot be read: Input/output error");
	assert_string_equal(f->err.file, "/proc/self/mem");
}

static void
test_only_regular_files_are_read(void **state)
{
	static const char *const names[] = { "folder", "fifo", "socket", "device" };
	const char *text = "is not a regular file";
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	struct fixture *f = *state;
	char *data = NULL;
	size_t len = 0;
	int fd = socket(AF_UNIX, SOCK_STREAM, 0);

	make_folder(f, "folder");
	assert_int_equal(mkfifo(path_of(f, "fifo"), 0644), 0);
	snprintf(address.sun_path, sizeof(address.sun_path), "%.80s/socket", f->path);
	assert_int_equal(bind(fd, (struct sockaddr *)&address, sizeof(address)), 0);
	close(fd);
	write_file(f, "file", "x");
	assert_true(file_dir_has(f->dir, "file"));
	for (int walk = 0; walk <= 1; walk++) {
		f->dir->no_openat2 = walk;
		for (size_t i = 0; i < ARRAY_SIZE(names) - 1; i++) {
			assert_refused(f, names[i], CAT_RESOURCE_NOT_FOUND, text);
			assert_false(file_dir_has(f->dir, names[i]));
		}
	}
	assert_int_equal(file_read(f, "/dev/null", 10, &data, &len, &f->err), -1);
	assert_string_equal(f->err.text, text);
	assert_string_equal(f->err.file, "/dev/null");
}

static void
test_refusals_name_the_reason(void **state)
{
	struct fixture *f = *state;

	make_link(f, "out", "/etc/passwd");
	make_link(f, "loop", "loop");
	assert_int_equal(file_dir_read(f->dir, f, "out", 10, &(char *){ NULL },
			     &(size_t){ 0 }, &f->err),
	    -1);
	assert_int_equal(f->err.category, CAT_SECURITY_VIOLATION);
	assert_string_equal(f->err.text, "leads out of the folder");
	assert_string_equal(
	    f->err.hint, "keep links relative and inside the migrations folder");
	assert_refused(f, "../x", CAT_SECURITY_VIOLATION, "leads out of the folder");
	assert_refused(f, "loop", CAT_SECURITY_VIOLATION,
	    "cannot be opened: Too many levels of symbolic links");
	assert_refused(f, "none", CAT_RESOURCE_NOT_FOUND,
	    "cannot be opened: No such file or directory");
}

/* The layout of a ConfigMap in a pod, and the swap that updates it. */
static void
test_config_map(void **state)
{
	struct fixture *f = *state;
	struct file_list list = { 0 };

	make_folder(f, "..2026_11_20");
	make_folder(f, "..2026_11_21");
	write_file(f, "..2026_11_20/0001_a.sql", "SELECT 1");
	write_file(f, "..2026_11_21/0001_a.sql", "SELECT 2");
	make_link(f, "..data", "..2026_11_20");
	make_link(f, "0001_a.sql", "..data/0001_a.sql");
	for (int walk = 0; walk <= 1; walk++) {
		f->dir->no_openat2 = walk;
		assert_int_equal(file_dir_list(f->dir, f, "", &list, &f->err), 0);
		assert_int_equal(list.n, 1);
		assert_true(file_dir_has(f->dir, "0001_a.sql"));
		assert_read(f, "0001_a.sql", walk ? "SELECT 2" : "SELECT 1");
		make_link(f, "..tmp", "..2026_11_21");
		assert_int_equal(rename(path_of(f, "..tmp"), path_of(f, "..data")), 0);
		assert_read(f, "0001_a.sql", "SELECT 2");
	}
}

/* errno of opening `name`, or 0. */
static int
verdict(struct file_dir *dir, const char *name, int flags, struct stat *st)
{
	int fd = file_beneath_open(dir, name, flags);
	int errnum = fd < 0 ? errno : 0;

	*st = (struct stat){ 0 };
	if (fd >= 0) {
		assert_int_equal(fstat(fd, st), 0);
		assert_true(fcntl(fd, F_GETFD) & FD_CLOEXEC);
		close(fd);
	}
	return errnum;
}

static void
make_corpus(const struct fixture *f, char *long_link)
{
	static const char *const links[][2] = {
		{ "to_file", "file" },
		{ "to_file_slash", "file/" },
		{ "to_sub", "sub" },
		{ "to_sub_slash", "sub/" },
		{ "to_here", "." },
		{ "to_parent", ".." },
		{ "to_root", "/" },
		{ "to_absolute", "/etc/passwd" },
		{ "to_none", "none" },
		{ "to_escape", "sub/../../x" },
		{ "to_back", "sub/../file" },
		{ "sub/up_to_file", "../file" },
		{ "sub/up_up", "../.." },
		{ "self", "self" },
		{ "ping", "pong" },
		{ "pong", "ping" },
		{ "grows", "grows/x" },
		{ "deep_link", "sub/deeper/up_twice" },
		{ "sub/deeper/up_twice", "../../file" },
	};
	char from[32];
	char to[32];

	make_folder(f, "sub");
	make_folder(f, "sub/deeper");
	write_file(f, "file", "x");
	write_file(f, "sub/file", "xy");
	for (size_t i = 0; i < ARRAY_SIZE(links); i++)
		make_link(f, links[i][0], links[i][1]);
	/* chain1 leads to the file over one link, chain40 over forty */
	make_link(f, "chain1", "file");
	for (int i = 2; i <= 41; i++) {
		snprintf(from, sizeof(from), "chain%d", i);
		snprintf(to, sizeof(to), "chain%d", i - 1);
		make_link(f, from, to);
	}
	/* back to itself with four thousand bytes more each time */
	memset(long_link, '/', PATH_MAX - 1);
	memcpy(long_link, "long_link", 9);
	memcpy(long_link + PATH_MAX - 2, "x", 2);
	make_link(f, "long_link", long_link);
}

/* The kernel is the judge, and our walk gives the same verdict on each name. Where there is no
 * openat2 (gVisor, valgrind) both are the walk, which the table judges then. */
static void
test_the_walk_agrees_with_the_kernel(void **state)
{
	static const struct {
		const char *name;
		int errnum;
	} rows[] = {
		{ "file", 0 },
		{ "./file", 0 },
		{ ".//./file", 0 },
		{ "sub/file", 0 },
		{ "sub//file", 0 },
		{ "sub/./file", 0 },
		{ "sub/../file", 0 },
		{ "sub/deeper/../../file", 0 },
		{ "to_file", 0 },
		{ "to_sub/file", 0 },
		{ "to_sub/../file", 0 },
		{ "to_sub_slash/file", 0 },
		{ "to_sub_slash//../file", 0 },
		{ "to_here/to_here/file", 0 },
		{ "to_back", 0 },
		{ "sub/up_to_file", 0 },
		{ "to_sub/up_to_file", 0 },
		{ "deep_link", 0 },
		{ "chain40", 0 },
		{ ".", 0 },
		{ "./", 0 },
		{ "sub", 0 },
		{ "sub/", 0 },
		{ "sub/.", 0 },
		{ "sub/..", 0 },
		{ "to_sub", 0 },
		{ "to_sub/", 0 },
		{ "to_here", 0 },
		{ "", ENOENT },
		{ "none", ENOENT },
		{ "none/", ENOENT },
		{ "none/file", ENOENT },
		{ "none/../file", ENOENT },
		{ "to_none", ENOENT },
		{ "sub/none", ENOENT },
		{ "sub/deeper/file", ENOENT },
		{ "file/", ENOTDIR },
		{ "file/.", ENOTDIR },
		{ "file/..", ENOTDIR },
		{ "file/x", ENOTDIR },
		{ "to_file/", ENOTDIR },
		{ "to_file_slash", ENOTDIR },
		{ "..", EXDEV },
		{ "../", EXDEV },
		{ "../x", EXDEV },
		{ "./../x", EXDEV },
		{ "sub/../..", EXDEV },
		{ "sub/../../x", EXDEV },
		{ "/", EXDEV },
		{ "/etc/passwd", EXDEV },
		{ "//file", EXDEV },
		{ "to_parent", EXDEV },
		{ "to_parent/x", EXDEV },
		{ "to_root", EXDEV },
		{ "to_root/etc", EXDEV },
		{ "to_absolute", EXDEV },
		{ "to_escape", EXDEV },
		{ "sub/up_up", EXDEV },
		{ "to_here/to_here/..", EXDEV },
		{ "self", ELOOP },
		{ "self/x", ELOOP },
		{ "ping", ELOOP },
		{ "grows", ELOOP },
		{ "chain41", ELOOP },
		{ "long_link", ELOOP },
	};
	static const int flags[] = { O_RDONLY | O_NONBLOCK, O_PATH,
		O_RDONLY | O_DIRECTORY };
	struct fixture *f = *state;
	char long_link[PATH_MAX];

	make_corpus(f, long_link);
	for (size_t i = 0; i < ARRAY_SIZE(rows) * ARRAY_SIZE(flags); i++) {
		const char *name = rows[i / ARRAY_SIZE(flags)].name;
		int expected = rows[i / ARRAY_SIZE(flags)].errnum;
		int flag = flags[i % ARRAY_SIZE(flags)];
		struct stat kernel = { 0 };
		struct stat walk = { 0 };
		int errnum = 0;

		f->dir->no_openat2 = false;
		errnum = verdict(f->dir, name, flag, &kernel);
		if (flag & O_DIRECTORY && expected == 0 && errnum == ENOTDIR)
			expected = ENOTDIR;
		f->dir->no_openat2 = true;
		if (errnum != expected || verdict(f->dir, name, flag, &walk) != expected)
			fail_msg("\"%s\", flags %#x: expected %d", name, (unsigned)flag,
			    expected);
		assert_true(
		    kernel.st_ino == walk.st_ino && kernel.st_mode == walk.st_mode);
	}
}

static void
test_names_that_are_too_long(void **state)
{
	struct fixture *f = *state;
	char name[PATH_MAX + 1];
	struct stat st = { 0 };

	for (int walk = 0; walk <= 1; walk++) {
		f->dir->no_openat2 = walk;
		memset(name, 'x', NAME_MAX + 1);
		name[NAME_MAX + 1] = '\0';
		assert_int_equal(verdict(f->dir, name, O_RDONLY, &st), ENAMETOOLONG);
		name[NAME_MAX] = '\0';
		assert_int_equal(verdict(f->dir, name, O_RDONLY, &st), ENOENT);

		memset(name, '/', PATH_MAX);
		name[0] = '.';
		name[PATH_MAX] = '\0';
		assert_int_equal(verdict(f->dir, name, O_RDONLY, &st), ENAMETOOLONG);
		name[PATH_MAX - 1] = '\0';
		assert_int_equal(verdict(f->dir, name, O_RDONLY, &st), 0);
	}
}

/* The walk keeps each folder open, so it has a bound on how deep it goes. */
static void
test_the_walk_is_bounded(void **state)
{
	struct fixture *f = *state;
	char name[2 * 65 + 1] = "";
	struct stat st = { 0 };

	f->dir->no_openat2 = true;
	for (size_t i = 0; i < 65; i++) {
		memcpy(name + 2 * i, "d/", 3);
		make_folder(f, name);
		assert_int_equal(
		    verdict(f->dir, name, O_RDONLY, &st), i < 64 ? 0 : ENAMETOOLONG);
	}
}

static void
test_a_kernel_without_openat2(void **state)
{
	static const int hidden[] = { ENOSYS, EPERM };
	struct fixture *f = *state;

	write_file(f, "file", "x");
	for (size_t i = 0; i < ARRAY_SIZE(hidden); i++) {
		f->dir->no_openat2 = false;
		fail_openat2 = hidden[i];
		fail_openat2_times = 1;
		assert_read(f, "file", "x");
		assert_true(f->dir->no_openat2);
		assert_int_equal(fail_openat2_times, 0);
	}
	f->dir->no_openat2 = false;
	fail_openat2 = EAGAIN;
	fail_openat2_times = 7;
	assert_read(f, "file", "x");
	f->dir->no_openat2 = false;
	fail_openat2_times = 8;
	assert_refused(f, "file", CAT_RESOURCE_NOT_FOUND,
	    "cannot be opened: Resource temporarily unavailable");
}

static unsigned long long
stamp_of(struct fixture *f, const char *name)
{
	char *data = NULL;
	size_t len = 0;

	f->dir->stamp = 0;
	assert_int_equal(file_dir_read(f->dir, f, name, 1000, &data, &len, &f->err), 0);
	return f->dir->stamp;
}

static void
test_stamp(void **state)
{
	struct timespec times[2] = { { 1000, 5 }, { 1000, 5 } };
	struct fixture *f = *state;
	unsigned long long first = 0;
	unsigned long long other = 0;

	write_file(f, "a", "x");
	write_file(f, "b", "longer");
	make_link(f, "link", "a");
	utimensat(f->dir->fd, "a", times, 0);
	first = stamp_of(f, "a");
	other = stamp_of(f, "b");
	assert_true(stamp_of(f, "a") == first);
	assert_true(stamp_of(f, "link") == first);
	assert_true(other != first);

	/* a second file counts in, it does not replace the first */
	assert_true(stamp_of(f, "a") == first);
	assert_read(f, "b", "longer");
	assert_true(f->dir->stamp != first && f->dir->stamp != other);

	times[1].tv_nsec = 6;
	utimensat(f->dir->fd, "a", times, 0);
	assert_true(stamp_of(f, "a") != first);
	times[1].tv_nsec = 5;
	utimensat(f->dir->fd, "a", times, 0);
	assert_true(stamp_of(f, "a") == first);
	write_file(f, "a", "xy");
	utimensat(f->dir->fd, "a", times, 0);
	assert_true(stamp_of(f, "a") != first);

	/* what cannot be read leaves no trace */
	first = f->dir->stamp;
	assert_refused(f, "none", CAT_RESOURCE_NOT_FOUND,
	    "cannot be opened: No such file or directory");
	assert_true(f->dir->stamp == first);
}

static unsigned long long
another_stamp(const struct fixture *f, unsigned long long before)
{
	unsigned long long now = file_stamp_folder(f->path);

	assert_true(now != 0 && now != before);
	assert_true(file_stamp_folder(f->path) == now);
	return now;
}

/* Whatever a reader would find changed: a name, a text, in the folder and in those in it. */
static void
test_stamp_of_a_folder(void **state)
{
	struct fixture *f = *state;
	unsigned long long stamp = another_stamp(f, 0);

	write_file(f, "a", "x");
	stamp = another_stamp(f, stamp);
	write_file(f, "a", "xy");
	stamp = another_stamp(f, stamp);
	assert_int_equal(rename(path_of(f, "a"), path_of(f, "b")), 0);
	stamp = another_stamp(f, stamp);
	assert_int_equal(mkdir(path_of(f, "sub"), 0755), 0);
	stamp = another_stamp(f, stamp);
	write_file(f, "sub/up.sql", "x");
	stamp = another_stamp(f, stamp);
	write_file(f, "sub/up.sql", "xy");
	stamp = another_stamp(f, stamp);
	make_link(f, "dangling", "nowhere");
	stamp = another_stamp(f, stamp);
	make_link(f, "out", "..");
	stamp = another_stamp(f, stamp);
	assert_int_equal(remove(path_of(f, "b")), 0);
	another_stamp(f, stamp);
	assert_true(file_stamp_folder(path_of(f, "none")) == 0);
}

static void
test_secrets(void **state)
{
	static const struct {
		const char *content;
		const char *secret; /* NULL: refused */
		const char *text;
	} rows[] = {
		{ "s3cret", "s3cret", NULL },
		{ "s3cret\n", "s3cret", NULL },
		{ "s3cret\r\n", "s3cret", NULL },
		{ " with blanks \n", " with blanks ", NULL },
		{ "", NULL, "is empty, a secret was expected" },
		{ "\n", NULL, "is empty, a secret was expected" },
		{ "\r\n", NULL, "is empty, a secret was expected" },
		{ "a\n\n", NULL, "has more than the one line that a secret is" },
		{ "a\nb\n", NULL, "has more than the one line that a secret is" },
	};
	struct fixture *f = *state;
	const char *path = path_of(f, "token");

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		char *secret = NULL;
		int rc = 0;

		write_file(f, "token", rows[i].content);
		rc = file_read_secret(f, path, &secret, NULL, &f->err);
		assert_int_equal(rc, rows[i].secret ? 0 : -1);
		if (rows[i].secret) {
			assert_string_equal(secret, rows[i].secret);
			continue;
		}
		assert_null(secret);
		assert_int_equal(f->err.category, CAT_CONFIGURATION);
		assert_string_equal(f->err.text, rows[i].text);
		assert_string_equal(f->err.file, path);
		err_clear(&f->err);
	}
}

static void
test_secrets_that_others_may_read(void **state)
{
	static const struct {
		mode_t mode;
		bool loose;
	} rows[] = { { 0600, false }, { 0640, false }, { 0644, true }, { 0604, true },
		{ 0602, true } };
	struct fixture *f = *state;
	const char *path = path_of(f, "token");
	char *secret = NULL;

	write_file(f, "token", "x");
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		bool loose = !rows[i].loose;

		assert_int_equal(chmod(path, rows[i].mode), 0);
		assert_int_equal(file_read_secret(f, path, &secret, &loose, &f->err), 0);
		assert_int_equal(loose, rows[i].loose);
	}
	assert_int_equal(
	    file_read_secret(f, path_of(f, "none"), &secret, NULL, &f->err), -1);
	assert_int_equal(f->err.category, CAT_RESOURCE_NOT_FOUND);
	err_clear(&f->err);

	/* a NUL byte would end the secret early */
	write_file(f, "token", "ab");
	assert_int_equal(truncate(path, 5), 0);
	assert_int_equal(file_read_secret(f, path, &secret, NULL, &f->err), -1);
	assert_int_equal(f->err.category, CAT_CONFIGURATION);
	err_clear(&f->err);
	assert_int_equal(truncate(path, BOUND_SECRET_BYTES + 1), 0);
	assert_int_equal(file_read_secret(f, path, &secret, NULL, &f->err), -1);
	assert_string_equal(f->err.text, "is larger than the maximum of 8192 bytes");
}

/* In a child, for the test's own are needed to tell of it. */
static void
test_standard_descriptors_are_opened(void **state)
{
	int status = -1;
	int free_fd = -1;
	pid_t child = fork();

	(void)state;
	if (child == 0) {
		close(STDIN_FILENO);
		close(STDOUT_FILENO);
		close(STDERR_FILENO);
		file_open_standard();
		for (int fd = STDIN_FILENO; fd <= STDERR_FILENO; fd++) {
			if (fcntl(fd, F_GETFD) < 0)
				_exit(1);
		}
		_exit(write(STDOUT_FILENO, "x", 1) == 1 ? 0 : 2);
	}
	assert_true(child > 0);
	assert_int_equal(waitpid(child, &status, 0), child);
	assert_int_equal(status, 0);

	/* where they are open it leaves nothing behind */
	free_fd = dup(STDIN_FILENO);
	close(free_fd);
	file_open_standard();
	assert_int_equal(dup(STDIN_FILENO), free_fd);
	close(free_fd);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_open_a_folder),
		TEST(test_list),
		TEST(test_list_refuses),
		TEST(test_list_has_a_bound),
		TEST(test_read),
		TEST(test_read_a_growing_file),
		TEST(test_only_regular_files_are_read),
		TEST(test_refusals_name_the_reason),
		TEST(test_config_map),
		TEST(test_the_walk_agrees_with_the_kernel),
		TEST(test_names_that_are_too_long),
		TEST(test_the_walk_is_bounded),
		TEST(test_a_kernel_without_openat2),
		TEST(test_stamp),
		TEST(test_stamp_of_a_folder),
		TEST(test_secrets),
		TEST(test_secrets_that_others_may_read),
		TEST(test_standard_descriptors_are_opened),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
