# SPDX-License-Identifier: Apache-2.0
"""Part e: what does a node cost its host when there are many of them, and how fast does a change get through?

Clusters of growing size on one bridge, all on this machine. Beats are sent as often as by default, but where there are
more than eight nodes a processor, every 200 ms: the machine could do no more. What the kernel does to deliver a beat to
every receiver counts as the sender's, bridge included. At rest, each agent's processor time and memory and
each host's traffic; then the highest node is stopped and started again by command, and each of the two views takes
from its issue (by others than the leader: from its arrival) until it is served; the slowest node counts. All nodes
compute their tables at the same moment, here on one machine's processors, which for 32 of them is most of that time.
How long the tables of a new view take to compute and to switch is measured inside one process (views.cpp).
"""

import json
import os
import time

import filter_bench
import netns
from harness import Cluster
from table import Table, median, percentile

NAME = "scale"
WHAT = "2 to 32 nodes: what an agent takes at rest, and how long a new view takes"
REPEATS = 10

_REST_S = 2
_AT_DEFAULT = 8 * os.cpu_count()
_SIZES = {f"{nodes} nodes{'' if nodes <= _AT_DEFAULT else ', 200 ms'}": nodes for nodes in (2, 4, 8, 16, 32)}
_TABLES = "tables"


def _processor_seconds(pid):
    """Of all threads; utime and stime in /proc/PID/stat are the same in coarse steps."""
    total = 0
    for thread in os.listdir(f"/proc/{pid}/task"):
        with open(f"/proc/{pid}/task/{thread}/schedstat") as file:
            total += int(file.read().split()[0])
    return total / 1e9


def _resident_bytes(pid):
    with open(f"/proc/{pid}/status") as file:
        return next(1024 * int(line.split()[1]) for line in file if line.startswith("VmRSS:"))


def _sent_bytes(cluster, node):
    told = netns.run(cluster.namespace(node), "ip", "-json", "-stats", "link", "show", "dev", "eth0").stdout
    return json.loads(told)[0]["stats64"]["tx"]["bytes"]


def _rest(cluster):
    """Means over the nodes; a second of a processor is 100 %."""
    pids = [agent.pid for agent in cluster.agents.values()]

    def now():
        return (time.monotonic(), sum(_sent_bytes(cluster, node) for node in cluster.ids),
                sum(map(_processor_seconds, pids)))

    start, sent, busy = now()
    time.sleep(_REST_S)
    took, sent, busy = (after - before for after, before in zip(now(), (start, sent, busy)))
    return {"sent_bytes_per_s": sent / took / len(pids), "cpu_percent": 100 * busy / took / len(pids),
            "resident_mb": sum(map(_resident_bytes, pids)) / 1e6 / len(pids)}


def _change(cluster, order, remain):
    """Milliseconds until the slowest of those that remain served the view that the order leads to."""
    cluster.nlbctl(order, node=cluster.ids[-1])
    cluster.wait_active(remain, seconds=120)
    slowest = 0
    for node in remain:
        events = json.loads(cluster.nlbctl("--json", "events", node=node).stdout)
        views = [event["took_ms"] for event in events if event["kind"] == "view"]
        if views[0] is None:
            return None  # overtaken by another one before it was served
        slowest = max(slowest, views[0])  # the newest, in which they agree
    return slowest


def _measure_one(nodes, repeats):
    result = {"sent_bytes_per_s": [], "cpu_percent": [], "resident_mb": [], "leave_ms": [], "join_ms": []}
    heartbeat = "" if nodes <= _AT_DEFAULT else "interval_ms = 200\ndead_after_ms = 2000"
    with Cluster(nodes=nodes, servers=False, heartbeat=heartbeat) as cluster:
        cluster.start_all()
        cluster.wait_active(cluster.ids, seconds=120)
        for _ in range(repeats):
            for key, order, remain in (("leave_ms", "stop", cluster.ids[:-1]), ("join_ms", "start", cluster.ids)):
                if (took := _change(cluster, order, remain)) is not None:
                    result[key].append(took)
            for key, value in _rest(cluster).items():
                result[key].append(value)
    return result


def measure(options, say):
    """size -> {"sent_bytes_per_s", "cpu_percent", "resident_mb", "leave_ms", "join_ms": lists}

    "tables" -> see parts.hpp
    """
    repeats, result = options.repeats or REPEATS, {}
    for name, nodes in _SIZES.items():
        if options.only in name:
            say(name)
            result[name] = _measure_one(nodes, repeats)
    if options.only in _TABLES:
        say("tables of 32 nodes")
        result[_TABLES] = filter_bench.run("views", repeats)
    return result


def table(result):
    sizes = {name: one for name, one in result.items() if name != _TABLES}
    parts = [_sizes(sizes)] if sizes else []
    if _TABLES in result:
        parts.append(_tables(result[_TABLES]))
    return "\n\n".join(map(str, parts))


def _sizes(result):
    made = Table(["each node", "beats, kB/s", "CPU %", "resident MB", "leave, ms: median / worst", "join, ms"])
    for name, one in result.items():
        made.add(name, f"{median(one['sent_bytes_per_s']) / 1e3:.1f}", f"{median(one['cpu_percent']):.2f}",
                 f"{median(one['resident_mb']):.1f}", _spread(one["leave_ms"]), _spread(one["join_ms"]))
    return made


def _spread(values):
    """Median / worst."""
    return f"{median(values):.1f} / {max(values):.1f}" if values else "-"


_STEPS = {"computing_ms": "tables computed", "switching_ms": "tables switched", "longest_step_ms": "beats wait for"}


def _tables(result):
    """Rules with different weights have tables of their own."""
    made = Table(["a view of 32 nodes, ms: median / p99 / worst"] + list(_STEPS.values()))
    for rules, one in result.items():
        made.add(f"{rules} rule{'s' if rules != '1' else ''}",
                 *[f"{median(one[key]):.2f} / {percentile(one[key], 99):.2f} / {max(one[key]):.2f}" for key in _STEPS])
    return made
