# SPDX-License-Identifier: Apache-2.0
"""A pcap node whose packets' thread gets what others leave of the processors, and they leave next to nothing.

    with starving.packets_thread(cluster.agents[1]):
        ...
"""

import contextlib
import os
import subprocess

import netns
from harness import check


def _packets_thread(agent):
    for task in os.listdir(f"/proc/{agent.pid}/task"):
        with open(f"/proc/{agent.pid}/task/{task}/comm") as name:
            if name.read() == "packets\n":
                return int(task)
    return None


@contextlib.contextmanager
def packets_thread(agent):
    thread = _packets_thread(agent)
    check(thread, "a pcap datapath without a thread for packets")
    before = os.sched_getscheduler(thread), os.sched_getparam(thread)
    os.sched_setscheduler(thread, os.SCHED_IDLE, os.sched_param(0))
    busy = [subprocess.Popen(["sh", "-c", "while :; do :; done"], preexec_fn=netns.die_with_parent)
            for _ in range(2 * os.cpu_count())]
    try:
        yield
    finally:
        for one in busy:
            one.kill()
            one.wait()
        os.sched_setscheduler(thread, *before)
