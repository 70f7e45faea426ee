"""Landlock: which files a process may open, whether it may bind TCP ports, and whom it may signal.

Plain system calls through ctypes, nothing else imported: the nursery must stay small. Numbers and meanings are those
of <linux/landlock.h>. What Landlock does not cover (stat, chmod, chown, listen without bind) is seccomp's part.
"""

from __future__ import annotations

import ctypes
import errno
import os
import stat

_CREATE_RULESET, _ADD_RULE, _RESTRICT_SELF = 444, 445, 446  # the same numbers on every architecture
_CREATE_RULESET_VERSION = 1
_RULE_PATH_BENEATH = 1

_EXECUTE, _WRITE_FILE, _READ_FILE, _READ_DIR = 1 << 0, 1 << 1, 1 << 2, 1 << 3
_MAKE_CHAR, _MAKE_BLOCK = 1 << 6, 1 << 11
_REFER, _TRUNCATE, _IOCTL_DEV = 1 << 13, 1 << 14, 1 << 15
_BIND_TCP, _CONNECT_TCP = 1 << 0, 1 << 1
_SCOPE_ABSTRACT_UNIX_SOCKET, _SCOPE_SIGNAL = 1 << 0, 1 << 1

_READ = _EXECUTE | _READ_FILE | _READ_DIR
_FILE_RIGHTS = _EXECUTE | _WRITE_FILE | _READ_FILE | _TRUNCATE | _IOCTL_DEV  # the kernel refuses others on a file
_NEVER = _EXECUTE | _MAKE_CHAR | _MAKE_BLOCK | _IOCTL_DEV  # not even in a writable directory

_libc = ctypes.CDLL(None, use_errno=True)


class _RulesetAttr(ctypes.Structure):
    _fields_ = (("fs", ctypes.c_uint64), ("net", ctypes.c_uint64), ("scoped", ctypes.c_uint64))


class _PathBeneathAttr(ctypes.Structure):
    _pack_ = 1
    _fields_ = (("access", ctypes.c_uint64), ("parent_fd", ctypes.c_int32))


def supported_abi() -> int:
    """The kernel's Landlock ABI version, 0 if there is none (not built in, or not in the `lsm=` list)."""
    version: int = _libc.syscall(_CREATE_RULESET, None, ctypes.c_size_t(0), ctypes.c_uint32(_CREATE_RULESET_VERSION))
    return max(version, 0)


def handled_file_rights(abi: int) -> int:
    """Every file right that this ABI knows; each is refused unless a rule grants it."""
    known = (1 << 13) - 1
    if abi >= 2:
        known |= _REFER
    if abi >= 3:
        known |= _TRUNCATE
    if abi >= 5:
        known |= _IOCTL_DEV
    return known


def create_ruleset(abi: int, read_only: tuple[str, ...], read_write: tuple[str, ...], *, allow_network: bool) -> int:
    """A ruleset as a file descriptor, to give to `restrict`. Paths that do not exist are left out.

    Rules attach to the inodes found now: a file that is replaced later needs a new ruleset, so none is ever kept.
    """
    handled = handled_file_rights(abi)
    net = 0 if abi < 4 else _BIND_TCP if allow_network else _BIND_TCP | _CONNECT_TCP
    scoped = 0 if abi < 6 else _SCOPE_ABSTRACT_UNIX_SOCKET | _SCOPE_SIGNAL
    attr = _RulesetAttr(handled, net, scoped)
    size = 8 if abi < 4 else 16 if abi < 6 else 24
    ruleset = _checked(_libc.syscall(_CREATE_RULESET, ctypes.byref(attr), ctypes.c_size_t(size), ctypes.c_uint32(0)))
    try:
        for path in read_only:
            _allow(ruleset, path, handled & _READ)
        for path in read_write:
            _allow(ruleset, path, handled & ~_NEVER)
    except BaseException:
        os.close(ruleset)
        raise
    return ruleset


def restrict(ruleset: int) -> None:
    """Enforces the ruleset on this thread and on all that it starts, for good. Needs no_new_privs."""
    _checked(_libc.syscall(_RESTRICT_SELF, ctypes.c_int(ruleset), ctypes.c_uint32(0)))


def _allow(ruleset: int, path: str, access: int) -> None:
    try:
        fd = os.open(path, os.O_PATH | os.O_CLOEXEC)
    except (FileNotFoundError, NotADirectoryError, PermissionError):
        return  # what is not there, or out of reach, needs no rule
    try:
        if not stat.S_ISDIR(os.fstat(fd).st_mode):
            access &= _FILE_RIGHTS
        rule = _PathBeneathAttr(access, fd)
        _checked(
            _libc.syscall(
                _ADD_RULE,
                ctypes.c_int(ruleset),
                ctypes.c_int(_RULE_PATH_BENEATH),
                ctypes.byref(rule),
                ctypes.c_uint32(0),
            ),
            path,
        )
    finally:
        os.close(fd)


def _checked(result: int, path: str | None = None) -> int:
    if result < 0:
        code = ctypes.get_errno() or errno.EINVAL
        raise OSError(code, os.strerror(code), path)
    return result
