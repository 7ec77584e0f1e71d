#define _GNU_SOURCE
#include "place.h"

#include "folder.h"
#include "inside.h"
#include "system.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <linux/openat2.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/wait.h>
#include <unistd.h>

#define FOLDER (O_RDONLY | O_DIRECTORY | O_CLOEXEC)
#define CLEANING_MS 5000

/* As root.c does: a link in the place of a folder leads nowhere. */
static int open_inside(int folder, const char *name)
{
	return system_openat2(folder, name, FOLDER,
			      RESOLVE_IN_ROOT | RESOLVE_NO_SYMLINKS |
			      RESOLVE_NO_MAGICLINKS | RESOLVE_NO_XDEV);
}

/* In a process of its own, as the user whose files they are. */
static _Noreturn void empty_as(int folder, uid_t uid)
{
	bool is_root = geteuid() == 0;

	if (is_root && (setgroups(0, NULL) < 0 ||
			setresgid(uid, uid, uid) < 0 ||
			setresuid(uid, uid, uid) < 0))
		_exit(1);
	_exit(folder_empty(folder) < 0 ? 1 : 0);
}

/*
 * Never as root: names, links and modes are the guest's, so nobody may act on
 * them who could do more than the guest.
 */
static int empty(int folder, uid_t uid, int ms)
{
	struct pollfd row = { .events = POLLIN };
	siginfo_t info = { .si_status = 1 };
	pid_t pid = system_clone(0, &row.fd);

	if (pid == 0)
		empty_as(folder, uid);
	if (pid < 0)
		return -1;
	if (poll(&row, 1, ms) != 1 &&
	    system_pidfd_kill(row.fd, SIGKILL) < 0)
		return -1;
	if (waitid(P_PIDFD, (id_t)row.fd, &info, WEXITED) < 0)
		return -1;
	system_close(row.fd);
	errno = EBUSY;
	return info.si_code == CLD_EXITED && info.si_status == 0 ? 0 : -1;
}

/*
 * Device files like those of tier A.  A container without CAP_MKNOD, or on a
 * volume that knows no devices, has none: then the cell has none either.
 */
static bool make_devices(int folder)
{
	/* Counts as /tmp, and is emptied with it. */
	if (symlinkat("../tmp", folder, "shm") < 0 && errno != EEXIST)
		return false;
	for (size_t i = 0; i < INSIDE_DEVICES; i++) {
		const struct device *device = &inside_devices[i];

		if (mknodat(folder, device->name, S_IFCHR | 0666,
			    makedev(1, device->minor)) < 0 && errno != EEXIST)
			return false;
		/* Past the mask, which is for files. */
		if (fchmodat(folder, device->name, 0666, 0) < 0)
			return false;
	}
	return true;
}

static int write_program(const struct place *place, const struct plan *plan)
{
	int folder;

	if (mkdirat(place->run, "program", 0755) < 0 && errno != EEXIST)
		return -1;
	folder = open_inside(place->run, "program");
	/* Of a run that was killed together with its keeper. */
	if (folder < 0 || folder_empty(folder) < 0)
		return -1;
	system_close(folder);
	return plan->program_name == NULL ? 0 :
		root_write_program(place->run, plan);
}

static int fail(enum step *step, enum step here)
{
	*step = here;
	return -1;
}

/* What the image lacks for names to be found; nothing of it without network. */
static int write_names(const struct place *place, const struct plan *plan)
{
	int etc = open_inside(place->folder, "etc"), answer;

	if (etc < 0)
		return plan->is_host_network ? -1 : 0;
	answer = plan->is_host_network ?
		resolver_place(etc, plan) : resolver_remove(etc);
	system_close(etc);
	return answer;
}

static bool remove_names(const struct place *place)
{
	int etc = open_inside(place->folder, "etc");
	bool is_gone = etc >= 0 && resolver_remove(etc) == 0;

	system_close(etc);
	return is_gone;
}

static int prepare_slot(struct place *place, const struct plan *plan,
			uint32_t index, enum step *step)
{
	int devices;

	if (snprintf(place->path, sizeof(place->path), "%s/%u", plan->place,
		     index) >= (int)sizeof(place->path))
		return -1;
	place->folder = open(place->path, FOLDER | O_NOFOLLOW);
	if (place->folder < 0)
		return -1;
	place->tmp = open_inside(place->folder, "tmp");
	if (place->tmp < 0)
		return fail(step, STEP_ROOT_TMP);
	devices = open_inside(place->folder, "dev");
	if (devices < 0)
		return fail(step, STEP_ROOT_DEV);
	place->has_devices = make_devices(devices);
	system_close(devices);
	place->run = open_inside(place->folder, "run");
	if (place->run < 0)
		return fail(step, STEP_ROOT_RUN);
	/* What a killed keeper left was this user's too: one id, one slot. */
	if (fchown(place->tmp, place->uid, place->uid) < 0 ||
	    fchmod(place->tmp, 0700) < 0 ||
	    empty(place->tmp, place->uid, CLEANING_MS) < 0)
		return fail(step, STEP_TMP);
	return write_names(place, plan) < 0 ? fail(step, STEP_RESOLVER) : 0;
}

static int prepare_folder(struct place *place, const struct plan *plan)
{
	if (snprintf(place->path, sizeof(place->path), "%s", plan->place) >=
	    (int)sizeof(place->path))
		return -1;
	if (mkdir(place->path, 0700) < 0)
		return -1;
	place->folder = open(place->path, FOLDER | O_NOFOLLOW);
	if (place->folder < 0)
		return -1;
	if (mkdirat(place->folder, "tmp", 0700) < 0)
		return -1;
	place->tmp = open_inside(place->folder, "tmp");
	place->run = open_inside(place->folder, ".");
	place->has_devices = true;	/* those of the host, by Landlock */
	return place->tmp < 0 || place->run < 0 ? -1 : 0;
}

int place_prepare(struct place *place, const struct plan *plan, uid_t uid,
		  uint32_t index, enum step *step)
{
	int answer;

	*step = STEP_PLACE;
	place->uid = uid;
	answer = plan->tier == TIER_C ?
		prepare_slot(place, plan, index, step) :
		prepare_folder(place, plan);
	if (answer < 0)
		return -1;
	*step = STEP_PROGRAM;
	return write_program(place, plan);
}

/* The program is nobody's secret, but the next run's folder is empty. */
static bool remove_program(int run)
{
	int folder = open_inside(run, "program");
	bool is_empty = folder >= 0 && folder_empty(folder) == 0;

	system_close(folder);
	return is_empty && unlinkat(run, "program", AT_REMOVEDIR) == 0;
}

bool place_clean(struct place *place, const struct plan *plan, int ms)
{
	bool is_clean = true;

	if (place->tmp >= 0)
		is_clean = empty(place->tmp, place->uid, ms) == 0;
	if (place->run >= 0)
		is_clean = remove_program(place->run) && is_clean;
	if (plan->is_host_network && plan->tier == TIER_C && place->folder >= 0)
		is_clean = remove_names(place) && is_clean;
	if (plan->tier == TIER_C || place->folder < 0)
		return is_clean;
	return is_clean && unlinkat(place->folder, "tmp", AT_REMOVEDIR) == 0 &&
	       rmdir(place->path) == 0;
}

bool place_abandon(const char *path)
{
	int folder = open(path, FOLDER | O_NOFOLLOW);
	int tmp = folder < 0 ? -1 : open_inside(folder, "tmp");
	bool is_clean = tmp >= 0 && folder_empty(tmp) == 0 &&
			remove_program(folder) &&
			unlinkat(folder, "tmp", AT_REMOVEDIR) == 0 &&
			rmdir(path) == 0;

	system_close(tmp);
	system_close(folder);
	return is_clean;
}
