/* Uses are counted here; the work is done by chores, one at a time per disk. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

#include "lib/cleanup.h"
#include "lib/err.h"
#include "lib/file.h"
#include "daemon/supervisor/disk.h"
#include "daemon/supervisor/image.h"
#include "daemon/supervisor/paths.h"

enum disk_state {
	DISK_ABSENT,
	DISK_MOUNTING,
	DISK_MOUNTED,
	DISK_UNMOUNTING,
};

struct disk {
	struct disk *next;
	struct disks *owner;
	struct disk_order order;
	enum disk_state state;
	struct disk_user *users;
	struct loop_timer idle;
};

/* What a chore gets: no pointers. */
struct work {
	struct disk_order order;
	int state_fd;
};

static const char *const dirs[] = {
	[DISK_INSTANCE] = "disks",
	[DISK_BUILD] = "cache",
};

void
disks_init(struct disks *d, struct loop *loop, struct chores *chores, int state_fd)
{
	*d = (struct disks){.loop = loop, .chores = chores, .state_fd = state_fd};
}

static void
disk_free(struct disk *disk)
{
	for (struct disk **at = &disk->owner->list; *at; at = &(*at)->next) {
		if (*at == disk) {
			*at = disk->next;
			break;
		}
	}
	loop_timer_cancel(disk->owner->loop, &disk->idle);
	free(disk);
}

void
disks_done(struct disks *d)
{
	while (d->list)
		disk_free(d->list);
}

/* ---- chores ------------------------------------------------------------------------------ */

static bool
is_mount_point(int dir_fd, const char *name)
{
	struct statx stx;

	return statx(dir_fd, name, AT_SYMLINK_NOFOLLOW, STATX_TYPE, &stx) == 0 &&
	       (stx.stx_attributes & STATX_ATTR_MOUNT_ROOT);
}

static int
unmount(int dir_fd, const char *app, struct err *err)
{
	while (is_mount_point(dir_fd, app)) {
		/* A chore's current directory is its own. */
		if (fchdir(dir_fd) < 0)
			return err_set(err, -errno, "change to the disks");
		if (umount2(app, UMOUNT_NOFOLLOW) < 0 &&
		    (errno != EBUSY || umount2(app, MNT_DETACH | UMOUNT_NOFOLLOW) < 0))
			return err_set(err, -errno, "unmount the disk of %s", app);
	}
	return 0;
}

int
disk_unmount(int state_fd, enum disk_kind kind, const char *app, struct err *err)
{
	AUTO_FD int dir_fd = path_open_dir(state_fd, dirs[kind]);

	if (dir_fd == -ENOENT)
		return 0;
	if (dir_fd < 0)
		return err_set(err, dir_fd, "open %s", dirs[kind]);
	return unmount(dir_fd, app, err);
}

/* The build's directory is mounted at /app, so it must be one: the last build may have put
 * anything in its place. */
static int
prepare_build(int disk_fd, uint32_t uid, struct err *err)
{
	struct stat st;
	int fd;

	if (fstatat(disk_fd, "app", &st, AT_SYMLINK_NOFOLLOW) == 0 && !S_ISDIR(st.st_mode) &&
	    unlinkat(disk_fd, "app", 0) < 0)
		return err_set(err, -errno, "clear the build directory");
	if (fchown(disk_fd, uid, uid) < 0 || fchmod(disk_fd, 0755) < 0)
		return err_set(err, -errno, "set the owner of the build disk");
	fd = file_make_dir(disk_fd, "app", 0755, uid, uid);
	if (fd < 0)
		return err_set(err, fd, "make the build directory");
	(void)close(fd);
	return 0;
}

static int
mount_kept(const struct image *image, struct err *err)
{
	struct err why = {0};

	if (image_is_there(image)) {
		if (image_mount(image, &why) == 0)
			return 0;
		log_line("the build disk of %s is made anew: %s", image->name, why.text);
	}
	/* It is only a cache. */
	if (image_make(image, err) < 0)
		return -EIO;
	return image_mount(image, err);
}

static int
do_mount(void *what, struct err *err)
{
	const struct work *work = what;
	const struct disk_order *order = &work->order;
	AUTO_FD int dir_fd = file_make_dir(work->state_fd, dirs[order->kind], 0711, 0, 0);
	AUTO_FD int disk_fd = -1;
	struct image image = {
		.dir_fd = dir_fd,
		.name = order->app,
		.bytes = order->bytes / 4096 * 4096,
		.owner = order->kind == DISK_BUILD ? order->uid : 0,
		.is_kept = order->kind == DISK_BUILD,
	};
	int ret;

	if (dir_fd < 0)
		return err_set(err, dir_fd, "make %s", dirs[order->kind]);
	ret = unmount(dir_fd, order->app, err);
	if (ret == 0 && image.is_kept)
		ret = mount_kept(&image, err);
	else if (ret == 0) {
		ret = image_make(&image, err);
		if (ret == 0)
			ret = image_mount(&image, err);
	}
	if (ret < 0 || order->kind != DISK_BUILD)
		return ret;
	disk_fd = path_open_dir(dir_fd, order->app);
	if (disk_fd < 0)
		return err_set(err, disk_fd, "open the build disk");
	return prepare_build(disk_fd, order->uid, err);
}

static int
do_unmount(void *what, struct err *err)
{
	const struct work *work = what;
	AUTO_FD int dir_fd = path_open_dir(work->state_fd, dirs[work->order.kind]);
	char name[APP_NAME_MAX + 8];
	int ret;

	if (dir_fd < 0)
		return err_set(err, dir_fd, "open %s", dirs[work->order.kind]);
	/* What is written back to a file without a name need not reach the disk. */
	if (work->order.kind == DISK_INSTANCE) {
		(void)snprintf(name, sizeof(name), "%s.img", work->order.app);
		(void)unlinkat(dir_fd, name, 0);
	}
	ret = unmount(dir_fd, work->order.app, err);
	if (ret == 0)
		(void)unlinkat(dir_fd, work->order.app, AT_REMOVEDIR);
	return ret;
}

/* ---- states ------------------------------------------------------------------------------ */

static void start_mount(struct disk *disk);

static void
on_unmounted(void *user, int code, const struct err *why)
{
	struct disk *disk = user;

	if (code < 0)
		log_line("%s", why->text);
	disk->state = DISK_ABSENT;
	if (disk->users)
		start_mount(disk);
	else
		disk_free(disk);
}

static void
start_unmount(struct disk *disk)
{
	struct work work = {.order = disk->order, .state_fd = disk->owner->state_fd};
	int ret;

	loop_timer_cancel(disk->owner->loop, &disk->idle);
	ret = chores_add(disk->owner->chores, do_unmount, &work, sizeof(work), on_unmounted, disk);
	if (ret == 0)
		disk->state = DISK_UNMOUNTING;
	else
		log_line("the disk of %s stays mounted: too much else is to be done",
			 disk->order.app);
}

static void
on_idle(struct loop_timer *timer)
{
	start_unmount(container_of(timer, struct disk, idle));
}

/* Nobody uses it (any more): for how long does it stay? */
static void
rest(struct disk *disk)
{
	if (disk->state == DISK_ABSENT) {
		disk_free(disk);
	} else if (disk->state == DISK_MOUNTED) {
		if (disk->owner->is_closing ||
		    loop_timer_set(disk->owner->loop, &disk->idle, DISK_IDLE_MS, on_idle) < 0)
			start_unmount(disk);
	}
}

/* Tells everybody who waits; with a failure their use is over. A callback may end other uses,
 * so the list is looked at anew each time. */
static void
tell(struct disk *disk, int code, const struct err *why)
{
	struct disk_user **at = &disk->users;

	while (*at) {
		struct disk_user *user = *at;
		disk_ready_fn *fn = user->fn;

		if (!fn) {
			at = &user->next;
			continue;
		}
		user->fn = NULL;
		if (code < 0) {
			*at = user->next;
			*user = (struct disk_user){0};
		}
		fn(user, code, why);
		at = &disk->users;
	}
}

static void
on_mounted(void *user, int code, const struct err *why)
{
	struct disk *disk = user;

	disk->state = code < 0 ? DISK_ABSENT : DISK_MOUNTED;
	tell(disk, code, why);
	if (!disk->users)
		rest(disk);
}

static void
start_mount(struct disk *disk)
{
	struct work work = {.order = disk->order, .state_fd = disk->owner->state_fd};
	struct err why = {0};
	int ret;

	disk->state = DISK_MOUNTING;
	ret = chores_add(disk->owner->chores, do_mount, &work, sizeof(work), on_mounted, disk);
	if (ret < 0) {
		(void)err_set(&why, ret, "mount the disk of %s", disk->order.app);
		on_mounted(disk, ret, &why);
	}
}

static struct disk *
find(struct disks *d, enum disk_kind kind, const char *app)
{
	for (struct disk *disk = d->list; disk; disk = disk->next) {
		if (disk->order.kind == kind && strcmp(disk->order.app, app) == 0)
			return disk;
	}
	return NULL;
}

static struct disk *
find_or_add(struct disks *d, const struct disk_order *order)
{
	struct disk *disk = find(d, order->kind, order->app);

	if (disk)
		return disk;
	disk = calloc(1, sizeof(*disk));
	if (!disk)
		return NULL;
	disk->owner = d;
	disk->order = *order;
	disk->next = d->list;
	d->list = disk;
	return disk;
}

static void
join(struct disk *disk, struct disk_user *user, disk_ready_fn *fn)
{
	*user = (struct disk_user){.disk = disk, .next = disk->users, .fn = fn};
	disk->users = user;
	loop_timer_cancel(disk->owner->loop, &disk->idle);
}

int
disk_use(struct disks *d, const struct disk_order *order, struct disk_user *user, disk_ready_fn *fn)
{
	struct disk *disk = find_or_add(d, order);
	struct work work = {.order = *order, .state_fd = d->state_fd};
	int ret;

	if (!disk)
		return -ENOMEM;
	if (disk->state == DISK_MOUNTED) {
		join(disk, user, NULL);
		return 1;
	}
	if (disk->state == DISK_ABSENT) {
		disk->order = *order;
		ret = chores_add(d->chores, do_mount, &work, sizeof(work), on_mounted, disk);
		if (ret < 0) {
			disk_free(disk);
			return ret;
		}
		disk->state = DISK_MOUNTING;
	}
	join(disk, user, fn);
	return 0;
}

int
disk_adopt(struct disks *d, const struct disk_order *order, struct disk_user *user)
{
	struct disk *disk = find_or_add(d, order);

	if (!disk)
		return -ENOMEM;
	disk->state = DISK_MOUNTED;
	join(disk, user, NULL);
	return 0;
}

void
disk_leave(struct disks *d, struct disk_user *user)
{
	struct disk *disk = user->disk;

	(void)d;
	if (!disk)
		return;
	for (struct disk_user **at = &disk->users; *at; at = &(*at)->next) {
		if (*at == user) {
			*at = user->next;
			break;
		}
	}
	*user = (struct disk_user){0};
	if (!disk->users)
		rest(disk);
}

void
disks_close(struct disks *d)
{
	struct disk *next;

	d->is_closing = true;
	for (struct disk *disk = d->list; disk; disk = next) {
		next = disk->next;
		if (!disk->users && disk->state == DISK_MOUNTED)
			start_unmount(disk);
	}
}

bool
disks_are_idle(const struct disks *d)
{
	return !d->list;
}

int
disks_forget(struct disks *d, const char *app)
{
	struct disk *next;

	for (struct disk *disk = d->list; disk; disk = disk->next) {
		if (strcmp(disk->order.app, app) == 0 &&
		    (disk->users || disk->state == DISK_MOUNTING || disk->state == DISK_UNMOUNTING))
			return -EBUSY;
	}
	for (struct disk *disk = d->list; disk; disk = next) {
		next = disk->next;
		if (strcmp(disk->order.app, app) == 0)
			disk_free(disk);
	}
	return 0;
}

static void
sweep_kind(struct disks *d, enum disk_kind kind)
{
	int fd = path_open_dir(d->state_fd, dirs[kind]);
	DIR *dir = fd < 0 ? NULL : fdopendir(fd);
	struct disk_order order = {.kind = kind};
	const struct dirent *e;

	if (!dir) {
		if (fd >= 0)
			(void)close(fd);
		return;
	}
	while ((e = readdir(dir)) != NULL) {
		struct disk *disk;

		if (e->d_name[0] == '.' || strlen(e->d_name) >= sizeof(order.app) ||
		    !is_mount_point(dirfd(dir), e->d_name) || find(d, kind, e->d_name))
			continue;
		strcpy(order.app, e->d_name);
		disk = find_or_add(d, &order);
		if (disk) {
			disk->state = DISK_MOUNTED;
			start_unmount(disk);
		}
	}
	(void)closedir(dir);
}

void
disks_sweep(struct disks *d)
{
	sweep_kind(d, DISK_INSTANCE);
	sweep_kind(d, DISK_BUILD);
}
