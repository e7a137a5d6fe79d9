# SPDX-License-Identifier: Apache-2.0
"""Part: what does an agent cost at rest in a cluster of 2 to 32 nodes?

One agent, on a processor of its own; all other nodes are one process on another (peers/main.cpp), whose beats are real. So what
is counted is what this agent does, and not what a bridge does to copy beats for 32 hosts of one machine.
"""

import contextlib
import os
import subprocess
import time

import netns
from harness import BUILD, Cluster
from table import Table, median

NAME = "rest"
WHAT = "one agent among 2 to 32 nodes: processor time and wakes at rest"
REPEATS = 5

_SETTLE_S, _MEASURE_S = 15, 5
_SIZES = {f"{nodes} nodes": nodes for nodes in (2, 8, 32)}


class _OneAmongMany(Cluster):
    """Two hosts for a configuration of many nodes."""

    def __init__(self, nodes):
        super().__init__(nodes=2, servers=False)
        self.options["nodes"] = nodes


@contextlib.contextmanager
def _peers(cluster):
    process = subprocess.Popen(netns.command(cluster.namespace(2), [f"{BUILD}/test/nlb_peers", cluster.config_file,
                                             cluster.key_file, "eth0", "1"]))
    os.sched_setaffinity(process.pid, {0})
    try:
        yield
    finally:
        process.terminate()
        process.wait(20)


def _used(pid):
    """Nanoseconds of the processor, and how often it was waited for; of all threads."""
    busy = wakes = 0
    for thread in os.listdir(f"/proc/{pid}/task"):
        with open(f"/proc/{pid}/task/{thread}/schedstat") as file:
            busy += int(file.read().split()[0])
        with open(f"/proc/{pid}/task/{thread}/status") as file:
            wakes += next(int(line.split()[1]) for line in file if line.startswith("voluntary_ctxt_switches"))
    return busy, wakes


def _members(cluster):
    status = cluster.status(1) or {}
    return sum(member["state"] == "active" for member in status.get("members") or [])


def _measure_one(nodes, repeats):
    result = {"cpu_percent": [], "wakes_per_s": []}
    with _OneAmongMany(nodes) as cluster, _peers(cluster):
        cluster.start(1)
        cluster.wait_until(lambda: _members(cluster) == nodes, "all are members")
        pid = cluster.agents[1].pid
        for thread in os.listdir(f"/proc/{pid}/task"):
            os.sched_setaffinity(int(thread), {os.cpu_count() - 1})
        time.sleep(_SETTLE_S)  # nothing lingers, and no node is missed any more
        for _ in range(repeats):
            start, (busy, wakes) = time.monotonic(), _used(pid)
            time.sleep(_MEASURE_S)
            took, (busy_then, wakes_then) = time.monotonic() - start, _used(pid)
            result["cpu_percent"].append((busy_then - busy) / 1e7 / took)
            result["wakes_per_s"].append((wakes_then - wakes) / took)
    return result


def measure(options, say):
    """size -> {"cpu_percent", "wakes_per_s": lists}"""
    result = {}
    for name, nodes in _SIZES.items():
        if options.only in name:
            say(name)
            result[name] = _measure_one(nodes, options.repeats or REPEATS)
    return result


def table(result):
    made = Table(["one agent at rest", "CPU of one processor, %: median / worst", "wakes a second"])
    for name, one in result.items():
        made.add(name, f"{median(one['cpu_percent']):.2f} / {max(one['cpu_percent']):.2f}", f"{median(one['wakes_per_s']):.0f}")
    return made
