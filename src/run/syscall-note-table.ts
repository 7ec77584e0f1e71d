/**
 * Three lines each: names; who is known to make these calls; what they risk, `-` for nothing beyond the cell.
 * Sources: sources and manuals of the programs named, section 2 of the Linux manual pages, and
 * Docker's reasons for what its default profile leaves out (docs.docker.com, "Seccomp security profiles").
 */
export const SYSCALL_NOTES = `
clone
C libraries: pthread_create for threads; fork, subprocess and multiprocessing for processes
without its conditions, it makes namespaces, which open most of the kernel to attack

clone3
glibc 2.34 and newer for threads and posix_spawn; it takes clone at ENOSYS, and fails at EPERM
takes its flags by pointer, so no filter can check them: it makes namespaces

fork vfork
CPython's subprocess and shells (vfork); musl and old static programs (fork); glibc's fork is clone
starts processes, up to the limit of the cell

execve execveat
everything that starts a program: subprocess, os.exec*, shells; fexecve and os.execve by descriptor (execveat)
runs any program of the image, under the same filter

wait4 waitid
subprocess, os.wait*, multiprocessing, every shell (wait4); Go's os/exec and os.waitid (waitid)
-

pidfd_open
asyncio's child watcher from Python 3.12 on, Go's os.Process from 1.23 on; both do without
lets a process watch another one of its own cell

pidfd_send_signal
Go's os.Process from 1.23 on, signal.pidfd_send_signal; systemd
signals whatever process its descriptor means, past conditions on process numbers

setpgid setsid
subprocess with start_new_session or process_group, shells with job control, daemons
-

kill tgkill tkill
os.kill, multiprocessing's terminate (kill); abort, raise and pthread_kill (tgkill); musl's raise (tkill)
without a pid namespace, it signals every process of the same user

prctl
C libraries and runtimes to name threads and memory; sandboxes and supervisors for their own settings
without its conditions, it changes capabilities' bounds, dumping, speculation and more of the process

arch_prctl
amd64's C libraries at each start, for thread-local storage
without its conditions, it reaches rarely used features of the processor

futex set_robust_list set_tid_address rseq
C libraries, for every lock and every thread
-

futex_waitv futex_wait futex_wake futex_requeue
Wine and Proton; others try and take futex
reaches kernel code that few programs have used so far

membarrier
the .NET runtime and liburcu, to make all threads see what was written
-

sched_getaffinity
os.process_cpu_count, joblib, OpenBLAS, OpenMP, libuv, Go: how many threads to start
-

sched_setaffinity
OpenMP runtimes (Intel's, LLVM's and GNU's: torch, MKL, scikit-learn) when threads are bound; psutil, taskset
chooses processors, and so disturbs whom it likes of those that share them

sched_setscheduler sched_setparam sched_setattr
chrt, audio servers, pthread_setschedparam; without a privilege they can only ask for less
real-time priority, where the limits allow it, starves the machine

setpriority
os.nice, os.setpriority, nice
can lower its own priority only

ioprio_set ioprio_get
ionice, psutil's ionice
-

get_mempolicy mbind set_mempolicy set_mempolicy_home_node
libnuma (MySQL, Cassandra's JVM, PyTorch's NUMA options, hwloc), OpenBLAS; all go on without
past exploits placed memory by them, and NUMA nodes are shared with the host

move_pages migrate_pages
libnuma's tools, hwloc, PostgreSQL 18 for its NUMA views
moves memory of processes; past exploits built on it

brk mmap munmap mremap mprotect madvise
every program; executable memory is for ctypes, numba, LLVM, V8 and other just-in-time compilers
-

memfd_create
os.memfd_create, libffi's closures where memory may not be made executable, .NET, Wayland and PulseAudio clients
with execveat, it executes a program that is in no file of the image

memfd_secret
few programs yet: it is meant for keys
memory that the kernel itself does not map, and cannot move or hibernate

mlock mlock2 mlockall munlock munlockall
libsodium (PyNaCl), GnuPG, OpenSSL's secure heap, to keep keys out of swap; they go on without
keeps memory from being swapped out, up to its limit, which is 0 in a cell

mincore
fincore, vmtouch
tells what others have lately read of shared files

remap_file_pages
hardly anything since Linux 4.0, which emulates it
reaches code of the kernel that nothing needs

pkey_alloc pkey_free pkey_mprotect
V8 (Node.js, Deno) at its start, which goes on without
the processor has 16 keys for each process; used to get around protections of just-in-time compilers

map_shadow_stack
glibc's makecontext on processors with shadow stacks
makes a shadow stack of the program's choice, which weakens that protection

mseal
Chromium, to make mappings final
-

userfaultfd
QEMU's live migration, CRIU, Android's runtime
stops the kernel in the middle of a copy for as long as it likes: most races in the kernel are won with it

io_uring_setup io_uring_enter io_uring_register
libuv (Node.js 20 and newer), which takes threads at ENOSYS; liburing: RocksDB, fio, QEMU, PostgreSQL 18 when told
opens files and sockets without the calls that the filter sees, and has a long list of exploits

io_setup io_submit io_getevents io_destroy io_cancel io_pgetevents
libaio: MySQL's InnoDB, QEMU, fio, nginx with aio
keeps requests and memory in the kernel, counted against the host's limit

epoll_create1 epoll_ctl epoll_wait epoll_pwait epoll_pwait2 poll ppoll select pselect6
asyncio, uvloop, libuv, selectors, Go's and Rust's runtimes
-

eventfd2 timerfd_create timerfd_settime signalfd4
libuv, uvloop, GLib, Go, Rust's mio, C++ coroutines
-

timer_create timer_settime timer_delete timer_gettime timer_getoverrun
Go's CPU profiler, gperftools, stress-ng
-

setitimer getitimer alarm
signal.setitimer, signal.alarm, profilers such as vmprof
-

inotify_init inotify_init1 inotify_add_watch inotify_rm_watch
watchdog, watchfiles (uvicorn --reload), Node's fs.watch, tail -f; most can poll instead
watches files of the image, and so tells when other cells use them

fanotify_init fanotify_mark
virus scanners, fatrace
watches whole file systems, the host's included

flock
filelock (huggingface_hub, virtualenv), portalocker, fcntl.flock, apt and pip
a lock on a file of the image is seen by other cells: a way to signal

fcntl
every program; locks of records are for SQLite, fcntl.lockf and NFS clients
without its conditions, it sends signals and takes leases; a lock on a file of the image is seen by other cells

ioctl
terminals (isatty), subprocess and asyncio (FIONBIO, FIOCLEX), copying (FICLONE)
without its conditions, it reaches every driver and types into terminals (TIOCSTI)

openat2
runc, systemd, Rust's cap-std
-

statx newfstatat faccessat2
coreutils, libuv, Rust's standard library, glibc 2.33 and newer
-

close_range
os.closerange, closefrom, Go, systemd
-

name_to_handle_at
systemd and libmount (what is mounted here?), CRIU, NFS servers
gives the name by which open_by_handle_at opens a file

open_by_handle_at
NFS servers outside the kernel, CRIU, fatrace
opens files by number, past every rule for paths: the way out of early Docker

setxattr lsetxattr fsetxattr removexattr lremovexattr fremovexattr
cp -a, rsync -X, tar --xattrs, shutil.copystat where there are attributes
keeps data in the kernel's memory where /tmp is a tmpfs

mknod mknodat
os.mkfifo, os.mknod
without its conditions, it makes device files

sync syncfs sync_file_range
dpkg, PostgreSQL and RocksDB (sync_file_range), os.sync
sync makes the whole host write, and every run wait

splice tee vmsplice
Go's and Rust's copying between pipes and sockets, HAProxy; they read and write instead
shares pages of files with pipes: Dirty Pipe and others wrote into read-only files by it

sendfile
shutil.copyfile and socket.sendfile of Python, nginx, Go; they read and write at ENOTSOCK or EINVAL
moves pages of files as splice does

copy_file_range
os.copy_file_range, cp of coreutils 9, Go, Rust, libuv
-

socket
every network client and server; asyncio needs none, it has a pair
without @network's surroundings, it opens rarely used protocols of the kernel (AF_ALG, AF_NETLINK, AF_VSOCK)

connect bind listen accept accept4
requests, httpx, urllib3, database drivers (connect); servers (bind, listen, accept4)
reaches what the cell's network reaches, and sockets of files (AF_UNIX) in the image

socketpair
asyncio and Node's child_process wake and talk to themselves by it; multiprocessing.Pipe
without its conditions, datagram pairs send to any named socket

sendto recvfrom sendmsg recvmsg sendmmsg recvmmsg
every use of sockets; glibc's DNS resolver (sendmmsg); multiprocessing passes descriptors (sendmsg)
descriptors that are passed keep files open across processes

setsockopt getsockopt
every use of sockets; TCP_NODELAY, SO_REUSEADDR
without its conditions, it loads programs into the kernel (SO_ATTACH_FILTER) and reaches netfilter

shmget shmat shmctl shmdt
X11 clients (Qt, Tk, GTK: MIT-SHM), PostgreSQL, Oracle, sysv_ipc; multiprocessing.shared_memory does not
memory that outlives the run, except in an ipc namespace of its own

semget semop semctl semtimedop
sysv_ipc, Oracle, old servers; multiprocessing's semaphores are not these
outlives the run, except in an ipc namespace of its own

msgget msgsnd msgrcv msgctl mq_open mq_unlink mq_timedsend mq_timedreceive mq_notify mq_getsetattr
sysv_ipc and posix_ipc, old message-passing programs
keeps data in the kernel after the run, except in an ipc namespace of its own

add_key request_key keyctl
Kerberos (kinit's KEYRING caches), systemd, cryptsetup
keeps data in the kernel from one run to the next, shared by user; many past exploits

ptrace
debuggers (gdb, strace), LeakSanitizer, py-spy when it pauses its target
reads and changes every process of the cell, and on kernels before 4.8 steps around the filter

process_vm_readv process_vm_writev
py-spy, gdb; Open MPI and UCX between ranks of one host
reads and writes memory of every process of the same user

process_madvise process_mrelease
Android's and container memory managers
acts on memory of other processes

pidfd_getfd
supervisors, CRIU, debuggers
takes open files out of other processes

kcmp
CRIU; Mesa's drivers, to see whether two descriptors are one file
tells where the kernel keeps things of other processes

seccomp
programs that confine themselves: OpenSSH, Chromium, systemd
loads programs into the kernel; with a listener of its own it hides calls from ours

landlock_create_ruleset landlock_add_rule landlock_restrict_self
xz 5.6 and newer and other programs that confine themselves; they go on without
-

unshare setns
containers and sandboxes: bubblewrap, podman, Chromium
makes or enters namespaces, which opens most of the kernel to attack

mount umount2 pivot_root fsopen fsconfig fsmount fspick open_tree open_tree_attr move_mount mount_setattr
containers, bubblewrap, fusermount
changes what the paths of the cell lead to; parsers of file systems are not made for hostile input

statmount listmount listns
libmount of util-linux 2.41 and newer, which reads /proc instead
-

chroot
daemons that confine themselves, debootstrap
with the privilege for it, a known way out of a root directory

bpf
bcc, bpftrace, Cilium, systemd
loads programs into the kernel; its verifier has had many faults

perf_event_open
perf, PAPI, VTune, async-profiler
watches the kernel and the processor: address leaks, side channels, many past exploits

personality
setarch and gdb (to switch off random addresses), Wine
without its conditions, it switches off random addresses and other protections

capget
libcap: ping, systemd; Node.js at its start, which takes an error for none
-

capset setuid setgid setreuid setregid setresuid setresgid setgroups setfsuid setfsgid
daemons that give up root, su, sudo, ping
can gain nothing in a cell, which has no privileges to give

getrlimit setrlimit prlimit64
the resource module, shells' ulimit, the JVM, glibc's getrlimit
without its conditions, it changes limits of other processes

getrandom
os.urandom, secrets, OpenSSL, Python's hash seed
-

uname sysinfo getrusage times
platform, os.uname, psutil, the resource module
tells the host's kernel and how busy it is

modify_ldt
Wine, DOSEMU, programs of 16 bits
makes segments of its own; source of several exploits

iopl ioperm
hwclock, flashrom, old X servers
reaches hardware directly

init_module finit_module delete_module kexec_load kexec_file_load
modprobe, kdump
puts code into the kernel

syslog
dmesg; os and logging modules use a socket instead
reads the kernel's messages, with addresses in them

settimeofday clock_settime clock_adjtime adjtimex
chrony, ntpd, date --set
changes the clock of the whole machine

reboot swapon swapoff sethostname setdomainname acct quotactl quotactl_fd vhangup
init systems and administrators' tools
changes the whole machine

uselib lookup_dcookie nfsservctl _sysctl sysfs ustat
nothing that is still in use
old code of the kernel that nobody looks after
`;
