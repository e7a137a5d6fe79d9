# SPDX-License-Identifier: Apache-2.0
"""How late the machine itself was: a process on each processor at the agents' priority that does nothing but wake up.

    with StallMeter() as stalls:
        since = time.monotonic()
        ...
        stalls.worst(since)     # seconds by which a waking came too late meanwhile, and when it was due

A virtual machine whose host is busy stands still for a while, and a node on it is then rightly taken for dead, or is late.
A promise in milliseconds can be judged only beside this. The processes share memory with this one and write nothing, so
that no disk delays them.
"""

import contextlib
import ctypes
import gc
import mmap
import os
import signal
import struct
import time

PRIORITY = 10     # that of nlbd, under SCHED_RR
_PERIOD = 0.005
_NOTED = 0.002    # less is not written down
_KEPT = 4096      # stalls, of each processor
_HEAD, _ENTRY = struct.Struct("=Qd"), struct.Struct("=dd")  # how many there were, when the next waking is due; due, late
_PR_SET_PDEATHSIG = 1


class StallMeter:
    """ordinary: at the priority of every other program."""

    def __init__(self, ordinary=False):
        self._ordinary = ordinary
        self._shared, self._children = [], []

    def __enter__(self):
        for processor in sorted(os.sched_getaffinity(0)):
            shared = mmap.mmap(-1, _HEAD.size + _KEPT * _ENTRY.size)
            _HEAD.pack_into(shared, 0, 0, time.monotonic() + _PERIOD)
            child = os.fork()
            if child == 0:
                _measure(processor, shared, self._ordinary)
            self._shared.append(shared)
            self._children.append(child)
        return self

    def __exit__(self, *_):
        for child in self._children:
            os.kill(child, signal.SIGKILL)
            os.waitpid(child, 0)
        self._children = []

    def all(self, since=0.0, until=float("inf")):
        """(due, late) of every waking that was late at some moment between the two, by time.monotonic()."""
        found = []
        for shared in self._shared:
            count, due = _HEAD.unpack_from(shared, 0)
            kept = [_ENTRY.unpack_from(shared, _HEAD.size + number * _ENTRY.size) for number in range(min(count, _KEPT))]
            if self._children and (late := time.monotonic() - due) > _NOTED:  # and goes on
                kept.append((due, late))
            found += [(due, late) for due, late in kept if due < until and due + late > since]
        return sorted(found)

    def worst(self, since=0.0, until=float("inf")):
        """(late, due) of the worst one; (0, since) when there was none."""
        return max(((late, due) for due, late in self.all(since, until)), default=(0.0, since))


def clock(moment):
    """A moment of time.monotonic() as the time of day."""
    at = time.time() - time.monotonic() + moment
    return time.strftime("%H:%M:%S", time.localtime(at)) + f".{int(at * 1000) % 1000:03}"


def _measure(processor, shared, ordinary):
    """The child's part; ends when its parent does."""
    try:
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
        for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
            signal.signal(number, signal.SIG_IGN)  # the parent has to take down a cluster first
        gc.disable()
        os.sched_setaffinity(0, {processor})
        with contextlib.suppress(PermissionError):  # the agents are then refused it, too
            if not ordinary:
                os.sched_setscheduler(0, os.SCHED_RR, os.sched_param(PRIORITY))
        count = 0
        while True:
            due = time.monotonic() + _PERIOD
            _HEAD.pack_into(shared, 0, count, due)
            time.sleep(_PERIOD)
            late = time.monotonic() - due
            if late > _NOTED:
                _ENTRY.pack_into(shared, _HEAD.size + count % _KEPT * _ENTRY.size, due, late)
                count += 1
    finally:
        os._exit(1)
