"""What Python does not have of the system: prctl(2), the title of the process; and calls that do not throw."""

from __future__ import annotations

import ctypes
import os
import re
import time

PR_SET_PDEATHSIG = 1
PR_SET_CHILD_SUBREAPER = 36

_ARG_START, _ARG_END = 48, 49
#: 52 numbers and a name.
_MOST_STAT_BYTES = 4_096

_MADV_COLLAPSE = 25
_HUGE_PAGE = 1 << 21
_PAGE = 4_096
_MOSTLY = 0.75
#: Memory that is no file's, in /proc/self/maps.
_ANONYMOUS = re.compile(r"^([0-9a-f]+)-([0-9a-f]+) rw-p \S+ \S+ 0\s", re.MULTILINE)

_libc = ctypes.CDLL(None, use_errno=True)
_libc.prctl.argtypes = [ctypes.c_int, *[ctypes.c_ulong] * 4]
_libc.madvise.argtypes = [ctypes.c_size_t, ctypes.c_size_t, ctypes.c_int]


def now_ms() -> int:
    return time.monotonic_ns() // 1_000_000


def prctl(option: int, argument: int) -> None:
    if _libc.prctl(option, argument, 0, 0, 0) != 0:
        error = ctypes.get_errno()
        raise OSError(error, f"prctl: {os.strerror(error)}")


def send_signal(pid: int, number: int) -> bool:
    """Whether it was sent: not so to a process of another user, nor with a number that is none."""
    try:
        os.kill(pid, number)
    except (OSError, OverflowError):
        return False
    return True


def open_descriptors() -> list[int]:
    numbers = [int(name) for name in os.listdir("/proc/self/fd")]
    return [number for number in numbers if os.path.lexists(f"/proc/self/fd/{number}")]  # but the folder's own


def write_all(descriptor: int, text: str) -> None:
    """Past all of Python's buffers. What cannot be written has nobody who would be told."""
    rest = text.encode("utf-8", "replace")
    try:
        while rest:
            rest = rest[os.write(descriptor, rest) :]
    except OSError:
        pass


def stat_field(number: int) -> int:
    """Of /proc/self/stat, behind the name, which may hold spaces and brackets (proc_pid_stat(5))."""
    descriptor = os.open("/proc/self/stat", os.O_RDONLY)  # a file object would cost a child more pages
    try:
        text = os.read(descriptor, _MOST_STAT_BYTES)
    finally:
        os.close(descriptor)
    return int(text[text.rindex(b")") + 2 :].split()[number - 3])


def use_huge_pages() -> None:
    """
    A fork copies one entry for 2 MiB, rather than 512, of all memory that fills most of so much; what is missing becomes
    memory too. Where it can't be had (Linux before 6.1, no memory in one piece, no /proc/self/pagemap) it stays as it is:
    MADV_COLLAPSE in madvise(2).
    """
    if os.sysconf("SC_PAGE_SIZE") != _PAGE:
        return
    try:
        pagemap = os.open("/proc/self/pagemap", os.O_RDONLY)
    except OSError:
        return
    try:
        with open("/proc/self/maps", encoding="latin-1") as file:
            maps = file.read()
        for found in _ANONYMOUS.finditer(maps):
            start, end = (int(address, 16) for address in found.groups())
            for at in range(-(-start // _HUGE_PAGE) * _HUGE_PAGE, end - _HUGE_PAGE + 1, _HUGE_PAGE):
                if _present(pagemap, at) > _MOSTLY * _HUGE_PAGE // _PAGE:
                    _libc.madvise(at, _HUGE_PAGE, _MADV_COLLAPSE)
    finally:
        os.close(pagemap)


def _present(pagemap: int, at: int) -> int:
    """How many pages of a huge one are memory: the highest bit of each entry, proc_pid_pagemap(5)."""
    return sum(byte >> 7 for byte in os.pread(pagemap, _HUGE_PAGE // _PAGE * 8, at // _PAGE * 8)[7::8])


class Title:
    """What ps(1) shows: the memory that the arguments lie in, as far as it goes (setproctitle(3) does the same)."""

    def __init__(self) -> None:
        self._start = stat_field(_ARG_START)
        self._bytes = stat_field(_ARG_END) - self._start

    def set(self, text: str) -> None:
        if self._start == 0:
            return  # this kernel does not tell
        title = text.encode("utf-8", "replace").replace(b"\0", b" ")[: self._bytes - 1]
        ctypes.memmove(self._start, title.ljust(self._bytes, b"\0"), self._bytes)
