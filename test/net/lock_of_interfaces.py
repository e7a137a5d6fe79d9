# SPDX-License-Identifier: Apache-2.0
"""Holds the kernel's lock of all interfaces (RTNL), as a driver does that waits for its card.

    with LockOfInterfaces():
        ...

The kernel takes the lock, and then writes what ethtool asked for to memory of this process that is not there: it waits
until this process says what is in that page (userfaultfd(2)).
"""

import ctypes
import fcntl
import mmap
import os
import platform
import socket
import struct
import threading

from harness import check, skip

_USERFAULTFD = {"x86_64": 323, "aarch64": 282}[platform.machine()]  # system call
_UFFDIO_API, _UFFDIO_REGISTER, _UFFDIO_ZEROPAGE = 0xC018AA3F, 0xC020AA00, 0xC020AA04
_UFFD_API, _MISSING = 0xAA, 1
_SIOCETHTOOL, _ETHTOOL_GFEATURES = 0x8946, 0x3A
_WORDS = 2  # of features, asked for


class LockOfInterfaces:
    def __init__(self):
        self._libc = ctypes.CDLL(None, use_errno=True)
        self._faults = self._libc.syscall(_USERFAULTFD, os.O_CLOEXEC)
        if self._faults < 0:
            skip(f"no userfaultfd: {os.strerror(ctypes.get_errno())}")

    def __enter__(self):
        page = mmap.PAGESIZE
        self._memory = mmap.mmap(-1, 2 * page)
        self._memory[:page] = bytes(page)
        start = ctypes.addressof(ctypes.c_char.from_buffer(self._memory))
        self._absent = start + page
        fcntl.ioctl(self._faults, _UFFDIO_API, bytearray(struct.pack("QQQ", _UFFD_API, 0, 0)))
        fcntl.ioctl(self._faults, _UFFDIO_REGISTER, bytearray(struct.pack("QQQQ", self._absent, page, _MISSING, 0)))
        asked = struct.pack("II", _ETHTOOL_GFEATURES, _WORDS)
        self._memory[page - len(asked):page] = asked
        request = struct.pack("16sQ16x", b"lo", self._absent - len(asked))
        self._thread = threading.Thread(target=self._ask, args=(ctypes.create_string_buffer(request),))
        self._thread.start()
        return self

    def _ask(self, request):
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as any_socket:
            self.result = self._libc.ioctl(any_socket.fileno(), ctypes.c_ulong(_SIOCETHTOOL), request)

    def __exit__(self, *_):
        fcntl.ioctl(self._faults, _UFFDIO_ZEROPAGE,
                    bytearray(struct.pack("QQQq", self._absent, mmap.PAGESIZE, 0, 0)))
        self._thread.join()
        os.close(self._faults)
        check(self.result == 0, "the kernel has not answered ethtool: this has tested nothing")
