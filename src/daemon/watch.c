/* SPDX-License-Identifier: PostgreSQL */
#include "daemon/watch.h"

#include <assert.h>
#include <string.h>
#include <sys/stat.h>

#include "base/log.h"
#include "base/mem.h"

#define WATCH_MAGIC 0x77617463u

/*
 * How many times settle_ms events may put the scan off. A folder in which something is
 * written all the time would never be read otherwise.
 */
#define SETTLE_LIMIT 10

struct watch {
	unsigned magic;
	char *path; /* no '/' at its end */
	uint64_t settle_ms;
	watch_fn *fn;
	void *arg;

	uv_fs_event_t event;
	uv_fs_event_t list_event; /* of the sub-folder of the list */
	dev_t list_device;        /* which that is; 0: none */
	ino_t list_inode;
	uv_timer_t settle; /* quiet for how long */
	uv_timer_t rescan;
	unsigned handles; /* open ones */

	/* the directory that `event` looks at; 0: none, or one that is not the folder any more */
	dev_t device;
	ino_t inode;
	uint64_t
	    waiting_since_ms; /* the loop's time when the settle timer was first started */
	bool complained;      /* that there are no events: once is enough */
};

static struct watch *
watch_of(void *data)
{
	struct watch *watch = data;

	assert(watch->magic == WATCH_MAGIC);
	return watch;
}

static void
scan(struct watch *watch, enum metrics_scan trigger)
{
	uv_timer_stop(&watch->settle);
	watch->fn(watch->arg, trigger);
}

static void
on_settled(uv_timer_t *timer)
{
	scan(watch_of(timer->data), SCAN_EVENT);
}

static void
on_rescan(uv_timer_t *timer)
{
	scan(watch_of(timer->data), SCAN_TIMER);
}

void
watch_again(struct watch *watch)
{
	uint64_t now_ms = uv_now(watch->settle.loop);

	if (!uv_is_active((uv_handle_t *)&watch->settle))
		watch->waiting_since_ms = now_ms;
	else if (now_ms - watch->waiting_since_ms >= SETTLE_LIMIT * watch->settle_ms)
		return;
	uv_timer_start(&watch->settle, on_settled, watch->settle_ms, 0);
}

/* No events from here on: the timer is left. */
static void
disarm(struct watch *watch)
{
	uv_fs_event_stop(&watch->event);
	watch->device = 0;
	watch->inode = 0;
}

static void
complain(struct watch *watch, int status)
{
	if (!watch->complained)
		log_warning("the folder gives no events, it is read by the timer alone",
		    LOG_STR("path", watch->path), LOG_STR("error", uv_strerror(status)));
	watch->complained = true;
}

/* libuv names what happens to the directory itself by the last part of its path. */
static bool
is_own_name(const struct watch *watch, const char *name)
{
	const char *slash = strrchr(watch->path, '/');

	return strcmp(name, slash ? slash + 1 : watch->path) == 0;
}

/*
 * What the kubelet does to a ConfigMap shows in the names "..data" and "..data_tmp" alone
 * when the content of a file changes; its "..2026_11_20_..." directories and editors'
 * swap files are noise.
 */
static bool
is_noise(const char *name)
{
	return name[0] == '.' && strncmp(name, "..data", 6) != 0;
}

static void
watch_event(struct watch *watch, const char *name, int status)
{
	if (status < 0) {
		complain(watch, status);
		disarm(watch);
		return;
	}
	if (name && is_own_name(watch, name)) {
		/* Perhaps it was deleted or moved. The next scan must arm anew even where
		 * device and inode are the same: a folder that is made again often gets
		 * its old inode. */
		watch->device = 0;
		watch->inode = 0;
	} else if (name && is_noise(name)) {
		return;
	}
	watch_again(watch);
}

static void
on_event(uv_fs_event_t *event, const char *name, int events UNUSED, int status)
{
	watch_event(watch_of(event->data), name, status);
}

static bool
is_at(const struct watch *watch, dev_t device, ino_t inode)
{
	struct stat st;

	return stat(watch->path, &st) == 0 && st.st_dev == device && st.st_ino == inode;
}

void
watch_rearm(struct watch *watch, dev_t device, ino_t inode)
{
	int status = 0;

	if (watch->inode == inode && watch->device == device && inode != 0)
		return;
	disarm(watch);
	if (inode == 0)
		return;
	status = uv_fs_event_start(&watch->event, on_event, watch->path, 0);
	if (status == UV_ENOENT)
		return; /* gone since it was read: the timer finds the next one */
	if (status < 0) {
		complain(watch, status);
		return;
	}
	/* The path may lead elsewhere by now; then the next scan says where. */
	if (is_at(watch, device, inode)) {
		watch->device = device;
		watch->inode = inode;
	}
	watch_again(watch);
}

/* ---- the list's own folder ---- */

static void
disarm_list(struct watch *watch)
{
	uv_fs_event_stop(&watch->list_event);
	watch->list_device = 0;
	watch->list_inode = 0;
}

/* Without events the timer finds it; and the folder above says when this one is swapped. */
static void
on_list_event(uv_fs_event_t *event, const char *name, int events UNUSED, int status)
{
	struct watch *watch = watch_of(event->data);

	if (status < 0)
		disarm_list(watch);
	else if (name == NULL || !is_noise(name))
		watch_again(watch);
}

void
watch_list(struct watch *watch, const char *sub)
{
	char *path = sub ? mem_printf(watch, "%s/%s", watch->path, sub) : NULL;
	struct stat st = { 0 };

	if (path && stat(path, &st) < 0)
		st = (struct stat){ 0 };
	if (st.st_dev == watch->list_device && st.st_ino == watch->list_inode)
		goto out;
	disarm_list(watch);
	if (st.st_ino != 0 &&
	    uv_fs_event_start(&watch->list_event, on_list_event, path, 0) == 0) {
		watch->list_device = st.st_dev;
		watch->list_inode = st.st_ino;
		watch_again(watch);
	}
out:
	talloc_free(path);
}

struct watch *
watch_new(uv_loop_t *loop, const char *path, int64_t settle_ms, int64_t rescan_ms,
    watch_fn *fn, void *arg)
{
	struct watch *watch = mem_zero(NULL, struct watch);
	size_t len = strlen(path);

	while (len > 1 && path[len - 1] == '/')
		len--;
	watch->magic = WATCH_MAGIC;
	watch->path = mem_strndup(watch, path, len);
	watch->settle_ms = (uint64_t)settle_ms;
	watch->fn = fn;
	watch->arg = arg;
	watch->handles = 4;
	uv_fs_event_init(loop, &watch->event);
	uv_fs_event_init(loop, &watch->list_event);
	uv_timer_init(loop, &watch->settle);
	uv_timer_init(loop, &watch->rescan);
	watch->list_event.data = watch;
	watch->event.data = watch->settle.data = watch->rescan.data = watch;
	uv_timer_start(
	    &watch->rescan, on_rescan, (uint64_t)rescan_ms, (uint64_t)rescan_ms);
	return watch;
}

static void
on_closed(uv_handle_t *handle)
{
	struct watch *watch = watch_of(handle->data);

	if (--watch->handles > 0)
		return;
	watch->magic = 0;
	talloc_free(watch);
}

void
watch_close(struct watch *watch)
{
	if (!watch)
		return;
	uv_close((uv_handle_t *)&watch->event, on_closed);
	uv_close((uv_handle_t *)&watch->list_event, on_closed);
	uv_close((uv_handle_t *)&watch->settle, on_closed);
	uv_close((uv_handle_t *)&watch->rescan, on_closed);
}
