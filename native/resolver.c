#define _GNU_SOURCE
#include "inside.h"
#include "system.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/mount.h>
#include <linux/openat2.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* `/proc/self/fd/N` twice, with a colon between. */
#define LAYERS_LONGEST 64
#define READ_ONLY (MOUNT_ATTR_RDONLY | MOUNT_ATTR_NOSUID | \
		   MOUNT_ATTR_NODEV | MOUNT_ATTR_NOEXEC)

static int write_file(int folder, const char *name, const char *text)
{
	int answer, file = openat(folder, name,
				  O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC,
				  0444);

	if (file < 0)
		return -1;
	answer = system_write(file, text, strlen(text));
	system_close(file);
	return answer;
}

/* Both files in a file system of their own that is mounted nowhere yet. */
static int make_files(const struct plan *plan)
{
	int tree = -1, context = system_fsopen("tmpfs");

	if (context < 0)
		return -1;
	if (system_fsconfig_string(context, "size", "262144") == 0 &&
	    system_fsconfig_string(context, "nr_inodes", "8") == 0 &&
	    system_fsconfig_string(context, "mode", "0755") == 0 &&
	    system_fsconfig_create(context) == 0)
		tree = system_fsmount(context, MOUNT_ATTR_NOSUID |
				      MOUNT_ATTR_NODEV | MOUNT_ATTR_NOEXEC);
	system_close(context);
	if (tree < 0)
		return -1;
	if (write_file(tree, "resolv.conf", plan->resolver) == 0 &&
	    write_file(tree, "hosts", plan->hosts) == 0)
		return tree;
	system_close(tree);
	return -1;
}

static const char *const names[] = { "resolv.conf", "hosts" };

int resolver_remove(int etc)
{
	struct stat status;

	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		/* A file of the image has a name in the image as well. */
		if (fstatat(etc, names[i], &status, AT_SYMLINK_NOFOLLOW) < 0 ||
		    status.st_nlink > 1)
			continue;
		if (unlinkat(etc, names[i], 0) < 0)
			return -1;
	}
	return 0;
}

int resolver_place(int etc, const struct plan *plan)
{
	const char *const texts[] = { plan->resolver, plan->hosts };

	if (resolver_remove(etc) < 0)
		return -1;
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		if (write_file(etc, names[i], texts[i]) < 0 && errno != EEXIST)
			return -1;
	}
	return 0;
}

/*
 * The image's /etc with the files laid over it.  Without a layer to write to,
 * an overlay is read-only.  Layers are named by descriptors, so that no path
 * of the image is followed.
 */
static int make_overlay(int files, int etc)
{
	char layers[LAYERS_LONGEST];
	int tree = -1, context = system_fsopen("overlay");

	if (context < 0)
		return -1;
	/* Two numbers of descriptors are shorter than the room for them. */
	(void)snprintf(layers, sizeof(layers),
		       "/proc/self/fd/%d:/proc/self/fd/%d", files, etc);
	if (system_fsconfig_string(context, "lowerdir", layers) == 0 &&
	    system_fsconfig_string(context, "redirect_dir", "nofollow") == 0 &&
	    system_fsconfig_string(context, "metacopy", "off") == 0 &&
	    system_fsconfig_create(context) == 0)
		tree = system_fsmount(context, READ_ONLY);
	system_close(context);
	return tree;
}

/* A layer must be mounted where we are, so the files lie under the overlay. */
static int lay_over(const struct plan *plan, int etc)
{
	int overlay, files = make_files(plan);

	if (files < 0)
		return -1;
	overlay = system_move_mount(files, etc) < 0 ?
		-1 : make_overlay(files, etc);
	system_close(files);
	if (overlay < 0)
		return -1;
	if (system_move_mount(overlay, etc) < 0) {
		system_close(overlay);
		return -1;
	}
	system_close(overlay);
	return 0;
}

/*
 * In the host's network, names are looked up as the host does it.  An image
 * has neither file, and nothing can be made in it: it is read-only.
 */
int resolver_mount(struct inside *inside)
{
	int answer, etc;

	if (!inside->plan->is_host_network)
		return 0;
	etc = system_openat2(inside->root, "etc",
			     O_PATH | O_DIRECTORY | O_CLOEXEC,
			     RESOLVE_IN_ROOT | RESOLVE_NO_SYMLINKS |
			     RESOLVE_NO_MAGICLINKS | RESOLVE_NO_XDEV);
	if (etc < 0)
		return -1;
	answer = lay_over(inside->plan, etc);
	system_close(etc);
	return answer;
}
