# SPDX-License-Identifier: Apache-2.0
"""Part f: does a node go on serving, and living, while SYNs that are other nodes' pour in?

    client (wrk) ----- bridge ----- web1 (nginx: serves all of the web) , web2, web3
                                     ^
                     the flood: from the bridge's side of web1's own wire

A million SYNs a second, from thousands of sources that web2 and web3 serve; the kernel itself makes them (injector.cpp)
at real-time priority, as packets from outside come before any process's work. They go to web1 alone: to send them over
the bridge to all three would take more than this machine has. wrk asks before and meanwhile in turn. The flood takes
a part of a processor that client and server would have had, the sender's part of it included; so what counts is that
no request fails, no member is lost, none is fenced and no beat goes missing.
"""

import contextlib
import json
import time

import flows
import netns
import web
import wrk
from filter_bench import Flood
from harness import VIP4, Cluster
from owners import expected
from table import Table, median

NAME = "flood"
WHAT = "a million foreign SYNs a second at a node that serves"
REPEATS = 5

_PER_SECOND, _SECONDS, _MARGIN = 1_000_000, 4, 1
_PORT, _SPORT, _SOURCES = 7006, 40000, 4096
_RULES = web.RULE + f"""
mode = "single"  # the lowest id: web1

[[rule]]
name = "flooded"
protocol = "tcp"
ports = "{_PORT}"
"""
CONTENDERS = ("xdp-generic", "xdp-native", "pcap")


def _foreign_sources(cluster):
    asked = [flows.Flow(flows.source4(number), _SPORT, VIP4, _PORT) for number in range(1, 4 * _SOURCES)]
    owners = expected(cluster, "tcp", asked)
    return [flow.source for flow in asked if owners[flow] != "web1"][:_SOURCES]


def _resident_mb(process):
    with open(f"/proc/{process}/status") as file:
        return next(int(line.split()[1]) / 1024 for line in file if line.startswith("VmRSS:"))


class _Watch:
    """What happens to the cluster from here on.

    Beats are counted at one node after the other, when a few may be under way.
    """

    def __init__(self, cluster):
        self._cluster = cluster
        self._before, self._events = self._look(), self._all_events()

    def _look(self):
        return {node: self._cluster.status(node) for node in self._cluster.ids}

    def _all_events(self):
        """By node, the newest first."""
        return {node: json.loads(self._cluster.nlbctl("--json", "events", node=node).stdout)
                for node in self._cluster.ids}

    def seen(self):
        now = self._look()

        def more(node, part, key):
            return now[node][part][key] - self._before[node][part][key]

        due = sum(more(node, "beats", "sent") for node in now) * (len(now) - 1)
        heard = sum(more(node, "beats", "received") for node in now)
        kinds = [event["kind"] for node, events in self._all_events().items()
                 for event in events[:len(events) - len(self._events[node])]]
        return {"dropped": more(1, "counters", "foreign"), "not_judged": more(1, "counters", "capture_full"),
                "resident_mb": _resident_mb(self._cluster.agents[1].pid), "beats_due": due, "beats_lost": max(0, due - heard),
                "views": kinds.count("view"), "fenced": kinds.count("fenced")}


@contextlib.contextmanager
def _cluster(datapath):
    with Cluster(nodes=3, servers=False, rules=_RULES, cluster=f'datapath = "{datapath}"') as cluster:
        web.serve(cluster)
        cluster.start_all()
        cluster.wait_active(cluster.ids)
        cluster.wait_until(lambda: cluster.status(1)["connections"]["lingering_groups"] == 0,
                           "web1 has done with what it let go of")  # else that is the reason for a drop
        netns.turn_on_gro(cluster.namespace(1), "eth0")
        yield cluster


def _under_flood(cluster, sources):
    watch = _Watch(cluster)
    flood = Flood(cluster.switch, "web1", _PORT, _PER_SECOND, _SECONDS + 2 * _MARGIN, sources)
    time.sleep(_MARGIN)
    numbers = wrk.ask(cluster, _SECONDS)
    sent = flood.sent()
    return numbers | watch.seen() | {"sent": sent}


def _measure_one(datapath, repeats):
    quiet, flooded = [], []
    with _cluster(datapath) as cluster:
        sources = _foreign_sources(cluster)
        for _ in range(repeats):
            quiet.append(wrk.ask(cluster, _SECONDS))
            flooded.append(_under_flood(cluster, sources))
    return {"quiet": quiet, "flooded": flooded}


def measure(options, say):
    """datapath -> {"quiet": [what wrk saw, one a repeat], "flooded": [the same, and what the cluster saw]}"""
    result = {}
    for datapath in CONTENDERS:
        if options.only in datapath:
            say(datapath)
            result[datapath] = _measure_one(datapath, options.repeats or REPEATS)
    return result


def _median(rounds, key):
    return median([one[key] for one in rounds])


def _sum(rounds, key):
    return sum(one[key] for one in rounds)


def _rate(rounds, key):
    return f"{_sum(rounds, key) / len(rounds) / (_SECONDS + 2 * _MARGIN) / 1e3:.0f}"


_ROWS = {
    "SYNs sent, thousands a second": lambda _, flooded: _rate(flooded, "sent"),
    "... judged and dropped by web1": lambda _, flooded: _rate(flooded, "dropped"),
    "... dropped unjudged (capture_full)": lambda _, flooded: _rate(flooded, "not_judged"),
    "requests/s without the flood": lambda quiet, _: f"{_median(quiet, 'requests_per_s'):.0f}",
    "requests/s under it": lambda _, flooded: f"{_median(flooded, 'requests_per_s'):.0f}",
    "p99 ms without": lambda quiet, _: f"{_median(quiet, 'p99_ms'):.1f}",
    "p99 ms under it": lambda _, flooded: f"{_median(flooded, 'p99_ms'):.1f}",
    "requests failed": lambda _, flooded: _sum(flooded, "failed"),
    "views changed (a member lost)": lambda _, flooded: _sum(flooded, "views"),
    "the agent's memory, MB": lambda _, flooded: f"{_median(flooded, 'resident_mb'):.0f}",
    "nodes fenced": lambda _, flooded: _sum(flooded, "fenced"),
    "beats lost": lambda _, flooded: f"{_sum(flooded, 'beats_lost')} of {_sum(flooded, 'beats_due')}",
}


def table(result):
    made = Table(["all rounds"] + list(result))
    for text, cell in _ROWS.items():
        made.add(text, *[cell(one["quiet"], one["flooded"]) for one in result.values()])
    return made
