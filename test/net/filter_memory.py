# SPDX-License-Identifier: Apache-2.0
"""What an agent writes for its filter, struct nlb_state of filter/verdict/layout.h, changed behind its back."""

import ctypes
import mmap
import os

from configuration import DATAPATH
from harness import check

SIZE = 4  # where struct nlb_state says its own


def change(run_dir, damage):
    """Has damage(memory) change it: a pinned map, or the pcap datapath's file."""
    path = f"{run_dir}/tables/state" if DATAPATH == "pcap" else f"{run_dir}/bpf/state"
    descriptor = os.open(path, os.O_RDWR) if DATAPATH == "pcap" else ctypes.CDLL("libbpf.so.1").bpf_obj_get(path.encode())
    check(descriptor >= 0, f"{path} cannot be opened")
    with mmap.mmap(descriptor, mmap.PAGESIZE) as beginning:
        size = word(beginning, SIZE)
    with mmap.mmap(descriptor, -(-size // mmap.PAGESIZE) * mmap.PAGESIZE) as memory:
        damage(memory)
    os.close(descriptor)


def word(memory, at):
    return int.from_bytes(memory[at:at + 4], "little")


def set_word(memory, at, value):
    memory[at:at + 4] = value.to_bytes(4, "little")
