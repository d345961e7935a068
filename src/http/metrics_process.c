/* SPDX-License-Identifier: PostgreSQL */
#include "http/metrics.h"

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#define UNKNOWN (-1.0)

/*
 * Numbers of /proc/self/stat behind the name, which is field 2 and may hold blanks:
 * proc(5).
 */
enum stat_field {
	STAT_UTIME = 14,
	STAT_STIME = 15,
	STAT_THREADS = 20,
	STAT_VSIZE = 23,
	STAT_RSS = 24
};

/* A small file of /proc into `buf`, NUL-terminated; "" when it cannot be read. */
static const char *
read_small(const char *path, char *buf, size_t size)
{
	FILE *file = fopen(path, "re");
	size_t len = file ? fread(buf, 1, size - 1, file) : 0;

	if (file)
		fclose(file);
	buf[len] = '\0';
	return buf;
}

static double
stat_field(const char *stat, enum stat_field field)
{
	const char *p = strrchr(stat, ')');

	for (int at = 2; p && at < (int)field; at++)
		p = strchr(p + 1, ' ');
	return p ? strtod(p + 1, NULL) : UNKNOWN;
}

static double
count_fds(void)
{
	DIR *dir = opendir("/proc/self/fd");
	int n = 0;

	if (!dir)
		return UNKNOWN;
	for (struct dirent *entry = readdir(dir); entry; entry = readdir(dir))
		n += entry->d_name[0] != '.';
	closedir(dir);
	return n - 1; /* our own look was one of them */
}

static double
limit_of(__rlimit_resource_t resource)
{
	struct rlimit limit;

	if (getrlimit(resource, &limit) < 0 || limit.rlim_cur == RLIM_INFINITY)
		return UNKNOWN;
	return (double)limit.rlim_cur;
}

void
metrics_measure_process(struct metrics_process *out)
{
	char stat[1024];
	double ticks = (double)sysconf(_SC_CLK_TCK);
	double page = (double)sysconf(_SC_PAGESIZE);

	read_small("/proc/self/stat", stat, sizeof(stat));
	*out = (struct metrics_process){
		.cpu_seconds =
		    (stat_field(stat, STAT_UTIME) + stat_field(stat, STAT_STIME)) / ticks,
		.open_fds = count_fds(),
		.max_fds = limit_of(RLIMIT_NOFILE),
		.virtual_bytes = stat_field(stat, STAT_VSIZE),
		.virtual_max_bytes = limit_of(RLIMIT_AS),
		.resident_bytes = stat_field(stat, STAT_RSS) * page,
		.threads = stat_field(stat, STAT_THREADS),
	};
}
