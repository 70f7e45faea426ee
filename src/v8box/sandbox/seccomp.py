"""seccomp: which system calls a process may still make, as a classic BPF filter for x86_64 and aarch64.

Refusals are errno answers, never a kill: a library that probes for a call goes on without it. Only a foreign
architecture kills. Numbers come from the kernel's unistd tables, structures from <linux/filter.h> and
<linux/seccomp.h>. The kernel caches which calls are always allowed, so a long deny list costs the others nothing.
"""

from __future__ import annotations

import ctypes
import errno
import os

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

Instruction = tuple[int, int, int, int]  # struct sock_filter: code, jt, jf, k

_ALLOW, _KILL_PROCESS, _ERRNO = 0x7FFF0000, 0x80000000, 0x00050000
_OFFSET_NR, _OFFSET_ARCH, _OFFSET_ARGS = 0, 4, 16  # struct seccomp_data; both architectures are little-endian
_X32_BIT = 0x40000000
_LAST_KNOWN = 462  # mseal; what came later has not been judged and answers as an old kernel does: ENOSYS

_AF_UNIX, _AF_INET, _AF_INET6 = 1, 2, 10
_SOCK_TYPE_MASK, _SOCK_STREAM, _SOCK_DGRAM = 0xF, 1, 2
_IPPROTO_TCP, _IPPROTO_UDP = 6, 17
_CLONE_THREAD = 0x00010000
_CLONE_NEW_ANY = 0x7E020000  # mount, cgroup, uts, ipc, user, pid and network namespaces
_AT_EMPTY_PATH = 0x1000
_TIOCSTI, _TIOCLINUX = 0x5412, 0x541C

_PR_SET_SECCOMP, _SECCOMP_MODE_FILTER = 22, 2

# name: (x86_64, aarch64); None where the architecture has no such call
_JUDGED_BY_ARGUMENTS = {
    "socket": (41, 198),
    "socketpair": (53, 199),
    "clone": (56, 220),
    "clone3": (435, 435),
    "execveat": (322, 281),
    "ioctl": (16, 29),
    "prlimit64": (302, 261),
}
_START_PROCESS = {"fork": (57, None), "vfork": (58, None), "execve": (59, 221)}

_OTHER_PROCESSES = {
    "ptrace": (101, 117),
    "process_vm_readv": (310, 270),
    "process_vm_writev": (311, 271),
    "process_madvise": (440, 440),
    "process_mrelease": (448, 448),
    "kcmp": (312, 272),
    "pidfd_getfd": (438, 438),
    "get_robust_list": (274, 100),
    "migrate_pages": (256, 238),
    "move_pages": (279, 239),
    # the box's own process may run under the same uid: nobody slows it down or starves it
    "setpriority": (141, 140),
    "ioprio_set": (251, 30),
    "sched_setscheduler": (144, 119),
    "sched_setparam": (142, 118),
    "sched_setattr": (314, 274),
    "sched_setaffinity": (203, 122),
    # a child cannot leave its process group, so killing the group leaves nobody behind
    "setsid": (112, 157),
    "setpgid": (109, 154),
}
_KERNEL_SURFACE = {
    "bpf": (321, 280),
    "perf_event_open": (298, 241),
    "userfaultfd": (323, 282),
    "io_uring_setup": (425, 425),
    "io_uring_enter": (426, 426),
    "io_uring_register": (427, 427),
    "add_key": (248, 217),
    "request_key": (249, 218),
    "keyctl": (250, 219),
    "vmsplice": (278, 75),
    "remap_file_pages": (216, 234),
    "mbind": (237, 235),
    "set_mempolicy": (238, 237),
    "set_mempolicy_home_node": (450, 450),
    "personality": (135, 92),
    "modify_ldt": (154, None),
    "lookup_dcookie": (212, 18),
    "uselib": (134, None),
    "_sysctl": (156, None),
    "sysfs": (139, None),
    "ustat": (136, None),
    "nfsservctl": (180, 42),
    "create_module": (174, None),
}
_MOUNTS_AND_NAMESPACES = {
    "mount": (165, 40),
    "umount2": (166, 39),
    "move_mount": (429, 429),
    "open_tree": (428, 428),
    "fsopen": (430, 430),
    "fsmount": (432, 432),
    "fsconfig": (431, 431),
    "fspick": (433, 433),
    "mount_setattr": (442, 442),
    "statmount": (457, 457),
    "listmount": (458, 458),
    "pivot_root": (155, 41),
    "chroot": (161, 51),
    "unshare": (272, 97),
    "setns": (308, 268),
    "open_by_handle_at": (304, 265),
    "name_to_handle_at": (303, 264),
    "quotactl": (179, 60),
    "quotactl_fd": (443, 443),
}
_WATCHING_FILES = {  # Landlock does not cover watches: they would tell when the box touches its files
    "fanotify_init": (300, 262),
    "fanotify_mark": (301, 263),
    "inotify_init": (253, None),
    "inotify_init1": (294, 26),
}
_MACHINE = {
    "acct": (163, 89),
    "swapon": (167, 224),
    "swapoff": (168, 225),
    "kexec_load": (246, 104),
    "kexec_file_load": (320, 294),
    "init_module": (175, 105),
    "finit_module": (313, 273),
    "delete_module": (176, 106),
    "reboot": (169, 142),
    "syslog": (103, 116),
    "iopl": (172, None),
    "ioperm": (173, None),
    "vhangup": (153, 58),
    "settimeofday": (164, 170),
    "clock_settime": (227, 112),
    "adjtimex": (159, 171),
    "clock_adjtime": (305, 266),
    "sethostname": (170, 161),
    "setdomainname": (171, 162),
}
_MEMORY_NOBODY_COUNTS = {  # it would count for no process, and System V objects would outlive theirs
    "memfd_create": (319, 279),
    "memfd_secret": (447, 447),
    "shmget": (29, 194),
    "shmat": (30, 196),
    "shmctl": (31, 195),
    "semget": (64, 190),
    "semop": (65, 193),
    "semtimedop": (220, 192),
    "semctl": (66, 191),
    "msgget": (68, 186),
    "msgsnd": (69, 189),
    "msgrcv": (70, 188),
    "msgctl": (71, 187),
    "mq_open": (240, 180),
    "mq_unlink": (241, 181),
}
_LISTEN = {"listen": (50, 201)}  # an unbound TCP socket listens on a free port, and Landlock only sees bind
_FILE_METADATA = {  # Landlock does not cover these, and without a uid of its own the child owns the box's files
    "chmod": (90, None),
    "fchmod": (91, 52),
    "fchmodat": (268, 53),
    "fchmodat2": (452, 452),
    "chown": (92, None),
    "lchown": (94, None),
    "fchown": (93, 55),
    "fchownat": (260, 54),
    "setxattr": (188, 5),
    "lsetxattr": (189, 6),
    "fsetxattr": (190, 7),
    "removexattr": (197, 14),
    "lremovexattr": (198, 15),
    "fremovexattr": (199, 16),
    "utime": (132, None),
    "utimes": (235, None),
    "futimesat": (261, None),
    "utimensat": (280, 88),
}
_ALWAYS_REFUSED = (
    _OTHER_PROCESSES,
    _KERNEL_SURFACE,
    _MOUNTS_AND_NAMESPACES,
    _WATCHING_FILES,
    _MACHINE,
    _MEMORY_NOBODY_COUNTS,
    _LISTEN,
)
_ARCHITECTURES = {"x86_64": (0, 0xC000003E), "aarch64": (1, 0xC00000B7)}  # table column, AUDIT_ARCH


def supported() -> bool:
    """Whether a filter exists for this machine."""
    return os.uname().machine in _ARCHITECTURES


def compile_filter(
    machine: str,
    *,
    allow_network: bool,
    allow_ipv6: bool,
    allow_unix: bool,
    allow_subprocess: bool,
    allow_file_metadata: bool,
    exec_fd: int,
) -> list[Instruction]:
    """The filter's instructions for `machine` ("x86_64" or "aarch64").

    `exec_fd` is the one file descriptor that execveat may start: a number that the process cannot have once its own
    program runs (see the nursery), so that no second program can ever be started.
    """
    column, audit_arch = _ARCHITECTURES[machine]

    def when(name: str, body: list[Instruction]) -> list[Instruction]:
        number = (_JUDGED_BY_ARGUMENTS | _START_PROCESS)[name][column]
        return [] if number is None else _if_equal(number, body)

    families = [_AF_UNIX] if allow_unix else []
    internet = ([_AF_INET] if allow_network else []) + ([_AF_INET6] if allow_network and allow_ipv6 else [])
    refused = dict[str, tuple[int, int | None]]()
    for group in _ALWAYS_REFUSED:
        refused |= group
    if not allow_file_metadata:
        refused |= _FILE_METADATA
    if not allow_subprocess:
        refused |= _START_PROCESS

    program = [_load(_OFFSET_ARCH), (_JUMP_EQUAL, 1, 0, audit_arch), _return(_KILL_PROCESS), _load(_OFFSET_NR)]
    program += [(_JUMP_GREATER, 0, 1, _LAST_KNOWN), _refuse(errno.ENOSYS)]  # x32 numbers (_X32_BIT) are among these
    program += when("socket", _socket_body(families, internet)) + when("socketpair", _socket_body([_AF_UNIX], []))
    program += when("clone", _clone_body(allow_subprocess))
    program += when("clone3", [_refuse(errno.ENOSYS)])  # its flags are behind a pointer; libc falls back to clone
    program += when("prlimit64", [_load(_argument(0)), *_if_equal(0, [_return(_ALLOW)]), _refuse(errno.EPERM)])
    program += when(
        "ioctl",
        [
            _load(_argument(1)),
            *_if_equal(_TIOCSTI, [_refuse(errno.EPERM)]),
            *_if_equal(_TIOCLINUX, [_refuse(errno.EPERM)]),
            _return(_ALLOW),
        ],
    )
    if not allow_subprocess:
        start = [_load(_argument(4)), *_if_equal(_AT_EMPTY_PATH, [_return(_ALLOW)]), _refuse(errno.EPERM)]
        program += when("execveat", [_load(_argument(0)), *_if_equal(exec_fd, start), _refuse(errno.EPERM)])
    for numbers in refused.values():
        number = numbers[column]
        if number is not None:
            program += _if_equal(number, [_refuse(errno.EPERM)])
    program.append(_return(_ALLOW))
    return program


class Filter:
    """A compiled filter in the kernel's layout, ready to be installed any number of times."""

    def __init__(self, program: Sequence[Instruction]) -> None:
        class SockFilter(ctypes.Structure):
            _fields_ = (
                ("code", ctypes.c_uint16),
                ("jt", ctypes.c_uint8),
                ("jf", ctypes.c_uint8),
                ("k", ctypes.c_uint32),
            )

        class SockFprog(ctypes.Structure):
            _fields_ = (("len", ctypes.c_uint16), ("filter", ctypes.c_void_p))

        self._instructions = (SockFilter * len(program))(*(SockFilter(*instruction) for instruction in program))
        self._fprog = SockFprog(len(program), ctypes.addressof(self._instructions))
        self._libc = ctypes.CDLL(None, use_errno=True)

    def install(self) -> None:
        """Puts this thread, and all that it starts, under the filter for good. Needs no_new_privs."""
        if self._libc.prctl(_PR_SET_SECCOMP, _SECCOMP_MODE_FILTER, ctypes.byref(self._fprog), 0, 0) != 0:
            code = ctypes.get_errno()
            raise OSError(code, os.strerror(code))


_LOAD_WORD, _AND, _RETURN = 0x20, 0x54, 0x06
_JUMP_EQUAL, _JUMP_GREATER, _JUMP_ANY_BIT = 0x15, 0x25, 0x45


def _load(offset: int) -> Instruction:
    return (_LOAD_WORD, 0, 0, offset)


def _argument(index: int) -> int:
    """Offset of the low 32 bits: all that the kernel reads of an int, and where every flag here lives."""
    return _OFFSET_ARGS + 8 * index


def _return(action: int) -> Instruction:
    return (_RETURN, 0, 0, action)


def _refuse(code: int) -> Instruction:
    return _return(_ERRNO | code)


def _if_equal(value: int, body: list[Instruction]) -> list[Instruction]:
    """Runs `body`, which must return on every path, when the loaded word equals `value`."""
    return [(_JUMP_EQUAL, 0, len(body), value), *body]


def _if_any_bit(bits: int, body: list[Instruction]) -> list[Instruction]:
    return [(_JUMP_ANY_BIT, 0, len(body), bits), *body]


def _socket_body(families: list[int], internet: list[int]) -> list[Instruction]:
    """Plain TCP and UDP only: other protocols (MPTCP, SCTP) would go round the rules that Landlock has for TCP."""

    def protocols(*allowed: int) -> list[Instruction]:
        body = [_load(_argument(2))]
        for protocol in allowed:
            body += _if_equal(protocol, [_return(_ALLOW)])
        return [*body, _refuse(errno.EPROTONOSUPPORT)]

    typed = [
        _load(_argument(1)),
        (_AND, 0, 0, _SOCK_TYPE_MASK),
        *_if_equal(_SOCK_STREAM, protocols(0, _IPPROTO_TCP)),
        *_if_equal(_SOCK_DGRAM, protocols(0, _IPPROTO_UDP)),
        _refuse(errno.EPROTONOSUPPORT),
    ]
    body = [_load(_argument(0))]
    for family in families:
        body += _if_equal(family, [_return(_ALLOW)])
    for family in internet:
        body += _if_equal(family, typed)
    return [*body, _refuse(errno.EAFNOSUPPORT)]


def _clone_body(allow_subprocess: bool) -> list[Instruction]:
    body = [_load(_argument(0)), *_if_any_bit(_CLONE_NEW_ANY, [_refuse(errno.EPERM)])]
    if allow_subprocess:
        return [*body, _return(_ALLOW)]
    return [*body, *_if_any_bit(_CLONE_THREAD, [_return(_ALLOW)]), _refuse(errno.EPERM)]
