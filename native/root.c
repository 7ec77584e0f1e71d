#define _GNU_SOURCE
#include "inside.h"
#include "system.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#define DIGITS 24
/* Room for the program's folder, its page of slack and the inodes. */
#define RUN_SLACK 65536u
/* `tmp` and `shm` in the file system that holds them. */
#define OWN_FOLDERS 2

/* Nothing that is mounted from here on may reach the host's mounts. */
int root_make_private(struct inside *inside)
{
	(void)inside;	/* a step_function like the others */
	return mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL);
}

int root_prepare_tree(int folder)
{
	int tree = system_open_tree(folder, "", OPEN_TREE_CLONE |
				    OPEN_TREE_CLOEXEC | AT_EMPTY_PATH);

	if (tree >= 0 &&
	    system_mount_setattr(tree, MOUNT_ATTR_RDONLY | MOUNT_ATTR_NOSUID |
				 MOUNT_ATTR_NODEV) < 0) {
		system_close(tree);
		return -1;
	}
	return tree;
}

/*
 * Mounts the root read-only over itself.  Not recursive: whatever somebody
 * has mounted below that folder does not belong to the image.
 */
int root_attach(struct inside *inside)
{
	int folder = open(inside->plan->root,
			  O_PATH | O_DIRECTORY | O_CLOEXEC);
	int tree = folder < 0 ? -1 : root_prepare_tree(folder);

	if (tree < 0 || system_move_mount(tree, folder) < 0)
		return -1;
	system_close(folder);
	inside->root = tree;
	return 0;
}

/*
 * A root that somebody with the right to it has prepared: over the host's,
 * where everybody finds a place.
 */
int root_attach_tree(struct inside *inside)
{
	int place = open("/", O_PATH | O_DIRECTORY | O_CLOEXEC);

	if (place < 0 || system_move_mount(inside->root_tree, place) < 0)
		return -1;
	system_close(place);
	inside->root = inside->root_tree;
	return 0;
}

/*
 * The image is not ours: a link or a mount in the place of a folder must
 * never lead us anywhere.  All later work goes by the descriptor.
 */
static int open_folder(int root, const char *name, int *folder)
{
	*folder = system_openat2(root, name, O_PATH | O_DIRECTORY | O_CLOEXEC,
				 RESOLVE_IN_ROOT | RESOLVE_NO_SYMLINKS |
				 RESOLVE_NO_MAGICLINKS | RESOLVE_NO_XDEV);
	return *folder < 0 ? -1 : 0;
}

int root_open_tmp(struct inside *inside)
{
	return open_folder(inside->root, "tmp", &inside->tmp);
}

int root_open_dev(struct inside *inside)
{
	return open_folder(inside->root, "dev", &inside->dev);
}

int root_open_run(struct inside *inside)
{
	return open_folder(inside->root, "run", &inside->run);
}

int root_open_proc(struct inside *inside)
{
	return inside->plan->has_proc ?
		open_folder(inside->root, "proc", &inside->proc) : 0;
}

static const char *decimal(uint64_t number, char *digits)
{
	char *start = digits + DIGITS;

	*--start = '\0';
	do {
		*--start = (char)('0' + number % 10);
		number /= 10;
	} while (number != 0);
	return start;
}

struct tmpfs {
	uint64_t bytes;
	uint64_t inodes;
	const char *mode;
	unsigned int attributes;	/* MOUNT_ATTR_* */
};

/* A new tmpfs that is mounted nowhere yet. */
static int make_tmpfs(const struct tmpfs *options)
{
	char size[DIGITS], inodes[DIGITS];
	int tree = -1;
	int context = system_fsopen("tmpfs");

	if (context < 0)
		return -1;
	if (system_fsconfig_string(context, "size",
				   decimal(options->bytes, size)) == 0 &&
	    system_fsconfig_string(context, "nr_inodes",
				   decimal(options->inodes, inodes)) == 0 &&
	    system_fsconfig_string(context, "mode", options->mode) == 0 &&
	    system_fsconfig_create(context) == 0)
		tree = system_fsmount(context, options->attributes);
	system_close(context);
	return tree;
}

/* Mounts it with `attributes` in addition, and forgets the folder. */
static int attach(int tree, unsigned int attributes, int folder)
{
	if ((attributes != 0 && system_mount_setattr(tree, attributes) < 0) ||
	    system_move_mount(tree, folder) < 0)
		return -1;
	system_close(folder);
	return 0;
}

static int attach_and_forget(int tree, unsigned int attributes, int folder)
{
	if (attach(tree, attributes, folder) < 0)
		return -1;
	system_close(tree);
	return 0;
}

/* One folder of a mounted tree, as a mount of its own that is not yet there. */
static int clone_folder(int tree, const char *name)
{
	if (mkdirat(tree, name, S_ISVTX | 0777) < 0)
		return -1;
	return system_open_tree(tree, name,
				OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC);
}

/*
 * One file system for /tmp and /dev/shm, so that one limit holds for both.
 * It is first mounted as a whole, since older kernels clone only what is
 * mounted; /tmp then covers that.  noexec: nothing that a run has written is
 * ever mapped as code.  Only a build, which runs what it has just compiled,
 * goes without.  The keeper looks at it when the run is over.
 */
int root_mount_tmp(struct inside *inside)
{
	int tree = make_tmpfs(&(struct tmpfs){
		.bytes = inside->plan->tmp_bytes,
		.inodes = inside->plan->tmp_inodes + OWN_FOLDERS,
		.mode = "0755",
		.attributes = MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV |
			      (inside->plan->executable_tmp ?
			       0 : MOUNT_ATTR_NOEXEC),
	});

	if (tree < 0 || system_move_mount(tree, inside->tmp) < 0)
		return -1;
	inside->tmp_tree = clone_folder(tree, "tmp");
	inside->shm_tree = clone_folder(tree, "shm");
	system_close(tree);
	if (inside->tmp_tree < 0 || inside->shm_tree < 0)
		return -1;
	return attach(inside->tmp_tree, 0, inside->tmp);
}

/* What nobody may execute anyhow is not made executable for builds either. */
static int attach_shm(struct inside *inside, int dev)
{
	int folder = openat(dev, "shm", O_PATH | O_DIRECTORY | O_CLOEXEC);

	return folder < 0 ? -1 : attach_and_forget(inside->shm_tree,
						   MOUNT_ATTR_NOEXEC, folder);
}

/* Source: Documentation/admin-guide/devices.txt, major 1. */
const struct device inside_devices[INSIDE_DEVICES] = {
	{ "null", 3 }, { "zero", 5 }, { "full", 7 },
	{ "random", 8 }, { "urandom", 9 },
};

/* In a user namespace nobody may make devices: that of the host is mounted. */
static int borrow_device(int tree, const char *name)
{
	int file = openat(tree, name, O_CREAT | O_EXCL | O_CLOEXEC, 0666);
	int host = open("/dev", O_PATH | O_DIRECTORY | O_CLOEXEC);
	int device = system_open_tree(host, name, OPEN_TREE_CLONE |
				      OPEN_TREE_CLOEXEC | AT_SYMLINK_NOFOLLOW);
	struct stat status;
	int answer = -1;

	if (file >= 0 && device >= 0 && fstat(device, &status) == 0) {
		errno = ENODEV;
		if (S_ISCHR(status.st_mode) && major(status.st_rdev) == 1)
			answer = system_move_mount(device, file);
	}
	system_close(file);
	system_close(host);
	system_close(device);
	return answer;
}

int root_mount_dev(struct inside *inside)
{
	int tree = make_tmpfs(&(struct tmpfs){
		.bytes = 4096, .inodes = 16, .mode = "0755",
		.attributes = MOUNT_ATTR_NOSUID | MOUNT_ATTR_NOEXEC,
	});

	/* First into its place: older kernels mount nothing elsewhere. */
	if (tree < 0 || attach(tree, 0, inside->dev) < 0)
		return -1;
	for (size_t i = 0; i < INSIDE_DEVICES; i++) {
		const struct device *device = &inside_devices[i];

		if (mknodat(tree, device->name, S_IFCHR | 0666,
			    makedev(1, device->minor)) == 0)
			continue;
		if (errno != EPERM || borrow_device(tree, device->name) < 0)
			return -1;
	}
	if (mkdirat(tree, "shm", 0755) < 0 ||
	    system_mount_setattr(tree, MOUNT_ATTR_RDONLY) < 0 ||
	    attach_shm(inside, tree) < 0)
		return -1;
	system_close(tree);
	return 0;
}

static int open_program_folder(int tree)
{
	return openat(tree, "program", O_PATH | O_DIRECTORY | O_NOFOLLOW |
		      O_CLOEXEC);
}

int root_remove_program(int tree, const struct plan *plan)
{
	int folder = open_program_folder(tree);
	int answer = folder < 0 ? -1 : unlinkat(folder, plan->program_name, 0);

	system_close(folder);
	return answer;
}

int root_write_program(int tree, const struct plan *plan)
{
	int folder, file, answer;

	if (mkdirat(tree, "program", 0755) < 0 && errno != EEXIST)
		return -1;
	folder = open_program_folder(tree);
	if (folder < 0)
		return -1;
	file = openat(folder, plan->program_name,
		      O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0444);
	system_close(folder);
	if (file < 0)
		return -1;
	answer = system_write(file, plan->program, plan->program_length);
	system_close(file);
	return answer;
}

/* The same without its being read-only, for the program that is to come. */
static int clone_run(struct inside *inside, int tree)
{
	inside->run_tree = system_open_tree(tree, "", OPEN_TREE_CLONE |
					    OPEN_TREE_CLOEXEC | AT_EMPTY_PATH);
	return inside->run_tree < 0 ? -1 : 0;
}

int root_mount_run(struct inside *inside)
{
	const struct plan *plan = inside->plan;
	uint64_t most = plan->is_parked ? PLAN_LARGEST : plan->program_length;
	int tree = make_tmpfs(&(struct tmpfs){
		.bytes = most + RUN_SLACK, .inodes = 8,
		.mode = "0755",
		.attributes = MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV |
			      MOUNT_ATTR_NOEXEC,
	});

	if (tree < 0 ||
	    (plan->program_name != NULL &&
	     root_write_program(tree, plan) < 0))
		return -1;
	/* Older kernels clone only what is mounted. */
	if (attach(tree, 0, inside->run) < 0 ||
	    (plan->is_parked && clone_run(inside, tree) < 0) ||
	    system_mount_setattr(tree, MOUNT_ATTR_RDONLY) < 0)
		return -1;
	system_close(tree);
	return 0;
}

/*
 * Processes of this pid namespace only, and of those only the program's own
 * to look into; nothing else of what the kernel tells: proc(5).
 */
int root_mount_proc(struct inside *inside)
{
	int tree = -1, context;

	if (!inside->plan->has_proc)
		return 0;
	context = system_fsopen("proc");
	if (context < 0)
		return -1;
	if (system_fsconfig_string(context, "hidepid", "invisible") == 0 &&
	    system_fsconfig_string(context, "subset", "pid") == 0 &&
	    system_fsconfig_create(context) == 0)
		tree = system_fsmount(context, MOUNT_ATTR_RDONLY |
				      MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV |
				      MOUNT_ATTR_NOEXEC);
	system_close(context);
	return tree < 0 ? -1 : attach_and_forget(tree, 0, inside->proc);
}

/*
 * Both names are the new root: the old one is mounted over it for a moment
 * and then taken away, so that no folder for it is needed: pivot_root(2).
 */
static int pivot(void)
{
	return system_pivot_root(".", ".") < 0 ? -1 : umount2(".", MNT_DETACH);
}

/*
 * Docker's filter lets CAP_SYS_ADMIN mount, and not pivot.  Then the host's
 * mounts stay below ours, out of reach for whoever may not change the root.
 */
static int cover(void)
{
	return mount(".", "/", NULL, MS_MOVE, NULL) < 0 ? -1 : chroot(".");
}

int root_pivot(struct inside *inside)
{
	if (fchdir(inside->root) < 0)
		return -1;
	if (pivot() < 0 && (errno != EPERM || cover() < 0))
		return -1;
	system_close(inside->root);
	return chdir("/");
}
