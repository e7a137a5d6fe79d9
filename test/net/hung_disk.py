# SPDX-License-Identifier: Apache-2.0
"""A file system that takes requests and never answers: a process that touches it waits, and cannot even be killed.

    with HungDisk(directory) as disk:     # over what was in it
        disk.wait_for_somebody()          # who waits from now on
"""

import os
import struct
import subprocess

_INIT_REPLY = struct.Struct("=IiQ IIII 48x")  # fuse(4), fuse_out_header and fuse_init_out: length, error, unique, version


class HungDisk:
    def __init__(self, directory):
        self._directory = directory
        self._server = os.open("/dev/fuse", os.O_RDWR | os.O_CLOEXEC)

    def __enter__(self):
        options = f"fd={self._server},rootmode=40000,user_id=0,group_id=0,allow_other"
        subprocess.run(["mount", "-i", "-t", "fuse", "-o", options, "hung", self._directory],
                       pass_fds=(self._server,), check=True, timeout=30)
        request = os.read(self._server, 1 << 20)
        unique, version, minor = struct.unpack_from("=8xQ24xII", request)
        os.write(self._server, _INIT_REPLY.pack(_INIT_REPLY.size, 0, unique, version, minor, 0, 0))
        return self

    def wait_for_somebody(self):
        os.read(self._server, 1 << 20)

    def __exit__(self, *_):
        os.close(self._server)  # they go on, with an error
        subprocess.run(["umount", "-l", self._directory], check=True, timeout=30)
