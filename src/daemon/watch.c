/* SPDX-License-Identifier: PostgreSQL */
#include "daemon/watch.h"

#include <assert.h>
#include <string.h>
#include <sys/stat.h>

#include "base/bounds.h"
#include "base/file.h"
#include "base/log.h"
#include "base/mem.h"

#define WATCH_MAGIC 0x77617463u

/*
 * How many times settle_ms events may put the scan off. A folder in which something is
 * written all the time would never be read otherwise.
 */
#define SETTLE_LIMIT 10

#define SUB_MAGIC 0x77737562u

/* A sub-folder: the journal's, or that of one migration. */
struct sub {
	unsigned magic;
	struct sub *next;
	struct watch *watch;
	char *name;
	uv_fs_event_t event;
	dev_t
	    device; /* which one `event` looks at; 0: none, or perhaps not that any more */
	ino_t inode;
	bool seen; /* by the look that is under way */
};

struct watch {
	unsigned magic;
	char *path; /* no '/' at its end */
	uint64_t settle_ms;
	watch_fn *fn;
	void *arg;

	uv_fs_event_t event;
	struct sub *subs;
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

uint64_t
watch_settle_timeout(const uv_loop_t *loop, uint64_t settle_ms)
{
	/* one more, for both clocks are cut to whole milliseconds */
	return settle_ms + (uv_hrtime() / 1000000 - uv_now(loop)) + 1;
}

void
watch_again(struct watch *watch)
{
	const uv_loop_t *loop = watch->settle.loop;
	uint64_t now_ms = uv_now(loop);

	if (!uv_is_active((uv_handle_t *)&watch->settle))
		watch->waiting_since_ms = now_ms;
	else if (now_ms - watch->waiting_since_ms >= SETTLE_LIMIT * watch->settle_ms)
		return;
	uv_timer_start(
	    &watch->settle, on_settled, watch_settle_timeout(loop, watch->settle_ms), 0);
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

/* The sub-folder of that name may be another one by now, even where its inode is the same. */
static void
doubt_sub(struct watch *watch, const char *name)
{
	for (struct sub *sub = watch->subs; sub; sub = sub->next) {
		if (strcmp(sub->name, name) == 0) {
			sub->device = 0;
			sub->inode = 0;
		}
	}
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
	if (name)
		doubt_sub(watch, name);
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

static void
arm(struct watch *watch, dev_t device, ino_t inode)
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

/* ---- sub-folders ---- */

static struct sub *
sub_of(void *data)
{
	struct sub *sub = data;

	assert(sub->magic == SUB_MAGIC);
	return sub;
}

static void
handle_closed(struct watch *watch)
{
	if (--watch->handles > 0)
		return;
	watch->magic = 0;
	talloc_free(watch);
}

static void
on_sub_closed(uv_handle_t *handle)
{
	struct sub *sub = sub_of(handle->data);
	struct watch *watch = sub->watch;

	sub->magic = 0;
	talloc_free(sub);
	handle_closed(watch);
}

/* Without events the timer finds what changes there. */
static void
on_sub_event(uv_fs_event_t *event, const char *name, int events UNUSED, int status)
{
	struct sub *sub = sub_of(event->data);

	if (status < 0)
		uv_fs_event_stop(&sub->event);
	else if (name == NULL || !is_noise(name))
		watch_again(sub->watch);
}

static struct sub *
sub_find(struct watch *watch, const char *name)
{
	struct sub *sub = watch->subs;

	while (sub && strcmp(sub->name, name) != 0)
		sub = sub->next;
	return sub;
}

static struct sub *
sub_new(struct watch *watch, const char *name)
{
	struct sub *sub = mem_zero(watch, struct sub);

	sub->magic = SUB_MAGIC;
	sub->watch = watch;
	sub->name = mem_strdup(sub, name);
	uv_fs_event_init(watch->settle.loop, &sub->event);
	sub->event.data = sub;
	sub->next = watch->subs;
	watch->subs = sub;
	watch->handles++;
	return sub;
}

static void
sub_arm(struct sub *sub, const char *path, const struct stat *st)
{
	int status = 0;

	sub->seen = true;
	if (sub->inode == st->st_ino && sub->device == st->st_dev)
		return;
	uv_fs_event_stop(&sub->event);
	status = uv_fs_event_start(&sub->event, on_sub_event, path, 0);
	if (status == UV_ENOENT)
		return;
	if (status < 0)
		complain(sub->watch, status);
	sub->device = st->st_dev;
	sub->inode = st->st_ino;
	watch_again(sub->watch);
}

/* Those that the look did not see are gone. */
static void
sweep_subs(struct watch *watch)
{
	struct sub **link = &watch->subs;

	while (*link) {
		struct sub *sub = *link;

		if (sub->seen) {
			sub->seen = false;
			link = &sub->next;
		} else {
			*link = sub->next;
			uv_close((uv_handle_t *)&sub->event, on_sub_closed);
		}
	}
}

/*
 * An event names what is in the folder itself, but not what is in meta/ or in the folder of a
 * migration. Of very many the last by name are watched: they are the newest, and the journal's.
 */
static void
arm_subs(struct watch *watch)
{
	void *scratch = mem_context(NULL, "sub-folders");
	struct file_dir *dir = NULL;
	struct file_list list = { 0 };
	struct err err = { 0 };
	unsigned n = 0;

	if (watch->inode == 0 || file_dir_open(scratch, watch->path, &dir, &err) < 0 ||
	    file_dir_list(dir, scratch, "", &list, &err) < 0)
		goto out; /* the folder's own problem, which the scan has told */
	for (size_t i = list.n; i-- > 0 && n < BOUND_WATCHED_FOLDERS;) {
		const char *name = list.names[i];
		char *path = mem_printf(scratch, "%s/%s", watch->path, name);
		struct sub *sub = sub_find(watch, name);
		struct stat st;

		if (stat(path, &st) < 0 || !S_ISDIR(st.st_mode))
			continue;
		sub_arm(sub ? sub : sub_new(watch, name), path, &st);
		n++;
	}
out:
	sweep_subs(watch);
	talloc_free(scratch);
}

void
watch_rearm(struct watch *watch, dev_t device, ino_t inode)
{
	arm(watch, device, inode);
	arm_subs(watch);
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
	watch->handles = 3;
	uv_fs_event_init(loop, &watch->event);
	uv_timer_init(loop, &watch->settle);
	uv_timer_init(loop, &watch->rescan);
	watch->event.data = watch->settle.data = watch->rescan.data = watch;
	uv_timer_start(
	    &watch->rescan, on_rescan, (uint64_t)rescan_ms, (uint64_t)rescan_ms);
	return watch;
}

static void
on_closed(uv_handle_t *handle)
{
	handle_closed(watch_of(handle->data));
}

void
watch_close(struct watch *watch)
{
	if (!watch)
		return;
	sweep_subs(watch);
	uv_close((uv_handle_t *)&watch->event, on_closed);
	uv_close((uv_handle_t *)&watch->settle, on_closed);
	uv_close((uv_handle_t *)&watch->rescan, on_closed);
}
