// Writes the seccomp profile for containers in which cells are made. Needs `npm run build` before.
import { writeFile } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';

/** What cells are made of, beyond what Docker lets every container do. */
export const CELL_CALLS =
  'clone clone3 fsconfig fsmount fsopen mount mount_setattr move_mount open_tree pivot_root sethostname umount2 unshare';

/** What reaches beyond a container, or what nobody has needed for long: no cell and no build needs any of it. */
const REFUSED = {
  'the kernel itself': `bpf delete_module finit_module init_module kexec_file_load kexec_load perf_event_open
    ioperm iopl reboot syslog uprobe vhangup lsm_get_self_attr lsm_list_modules lsm_set_self_attr`,
  'the machine’s disks, clock, name and accounts': `acct clock_settime quotactl quotactl_fd setdomainname
    settimeofday swapoff swapon ustat sysfs`,
  'other processes and their memory': `kcmp pidfd_getfd process_madvise move_pages migrate_pages get_mempolicy mbind
    set_mempolicy set_mempolicy_home_node`,
  'files by other ways than their names': `open_by_handle_at fanotify_init file_getattr file_setattr fspick open_tree_attr`,
  'namespaces of others': 'setns listns',
  'keys, which have no namespace': 'add_key keyctl request_key',
  'where kernels had most of their faults': `io_uring_enter io_uring_register io_uring_setup userfaultfd
    lookup_dcookie rseq_slice_yield`,
  'what is long gone': `_sysctl afs_syscall create_module get_kernel_syms getpmsg nfsservctl putpmsg query_module security
    tuxcall uselib vserver`,
};

const EPERM = 1;
const AF_ALG = 38;
const AF_VSOCK = 40;
/** PER_LINUX, PER_LINUX32, UNAME26 with either, and the question which it is. */
const PERSONALITIES = [0, 8, 0x2_0000, 0x2_0008, 0xffff_ffff];

/**
 * A profile in the format of the OCI runtime specification, which Docker, containerd, CRI-O and Podman read.
 * @param {readonly string[]} names every system call of amd64 and arm64
 * @returns {string}
 */
export function containerSeccompText(names) {
  const refused = new Set(Object.values(REFUSED).flatMap(words));
  const conditional = new Set(['personality', 'socket']);
  const profile = {
    defaultAction: 'SCMP_ACT_ERRNO',
    defaultErrnoRet: EPERM,
    // The 32-bit ones too: else such a call is killed before the cell’s filter can say what it was.
    architectures: ['SCMP_ARCH_X86_64', 'SCMP_ARCH_X86', 'SCMP_ARCH_X32', 'SCMP_ARCH_AARCH64', 'SCMP_ARCH_ARM'],
    syscalls: [
      allow(names.filter((name) => !refused.has(name) && !conditional.has(name))),
      allow(['socket'], { index: 0, value: AF_ALG, op: 'SCMP_CMP_LT' }),
      allow(['socket'], { index: 0, value: AF_ALG + 1, op: 'SCMP_CMP_EQ' }),
      allow(['socket'], { index: 0, value: AF_VSOCK, op: 'SCMP_CMP_GT' }),
      ...PERSONALITIES.map((value) => allow(['personality'], { index: 0, value, op: 'SCMP_CMP_EQ' })),
    ],
  };
  return `${JSON.stringify(profile, undefined, 2)}\n`;
}

/**
 * @param {readonly string[]} names
 * @param {{ index: number, value: number, op: string }} [argument]
 */
function allow(names, argument) {
  return { names, action: 'SCMP_ACT_ALLOW', ...(argument === undefined ? {} : { args: [argument] }) };
}

/** @param {string} text */
function words(text) {
  return text.split(/\s+/);
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const { syscallNames } = await import(new URL('../dist/run/syscall-tables.js', import.meta.url).href);
  await writeFile(new URL('../images/seccomp.json', import.meta.url), containerSeccompText(syscallNames()));
}
