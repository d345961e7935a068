/* SPDX-License-Identifier: PostgreSQL */
#include "base/clock.h"

#include <inttypes.h>
#include <stdio.h>
#include <time.h>

#define US_PER_S 1000000

static int64_t
read_us(clockid_t id)
{
	struct timespec now = { 0 };

	clock_gettime(id, &now); /* cannot fail: both clocks exist everywhere */
	return (int64_t)now.tv_sec * US_PER_S + now.tv_nsec / 1000;
}

int64_t
clock_now_us(void)
{
	return read_us(CLOCK_REALTIME);
}

int64_t
clock_mono_us(void)
{
	return read_us(CLOCK_MONOTONIC);
}

const char *
clock_format(int64_t us, char *buf, size_t size)
{
	/* % rounds towards zero; before 1970 the fraction still counts forward */
	int64_t fraction = (us % US_PER_S + US_PER_S) % US_PER_S;
	time_t seconds = (time_t)((us - fraction) / US_PER_S);
	struct tm tm = { 0 };

	gmtime_r(&seconds, &tm); /* 64 bits of microseconds stay below its maximum year */
	snprintf(buf, size, "%04d-%02d-%02dT%02d:%02d:%02d.%03dZ", tm.tm_year + 1900,
	    tm.tm_mon + 1, tm.tm_mday, tm.tm_hour, tm.tm_min, tm.tm_sec,
	    (int)(fraction / 1000));
	return buf;
}

/* Cut, not rounded: what is not over yet is not told as over. */
const char *
clock_format_span(int64_t us, char *buf, size_t size)
{
	int64_t ms = us > 0 ? us / 1000 : 0;
	int64_t minutes = ms / 60000;

	if (ms < 1000)
		snprintf(buf, size, "%" PRId64 " ms", ms);
	else if (minutes < 1)
		snprintf(
		    buf, size, "%" PRId64 ".%" PRId64 " s", ms / 1000, ms % 1000 / 100);
	else if (minutes < 60)
		snprintf(buf, size, "%" PRId64 " min", minutes);
	else
		snprintf(buf, size, "%" PRId64 " h %" PRId64 " min", minutes / 60,
		    minutes % 60);
	return buf;
}
