# SPDX-License-Identifier: Apache-2.0
"""Part d: how long are clients without service when a server or a service dies, leaves or returns, or an agent restarts?

Three hosts in namespaces on a bridge, each with the same small service. Some clients of the host that it happens to,
and some of the others', send a datagram each millisecond (pulses.py); meanwhile new TCP connections, a hundred a
second, count what fails. Each event happens `repeats` times; with nlbd to each host in turn, so the leader has its
share; with keepalived always to the host that has the virtual IP, since nothing else would be noticed.
"""

import contextlib
import os
import signal
import time

import flows
from harness import VIP4, Cluster, check
from owners import expected
from pulses import Pulses
from table import Table, median
from vrrp import VrrpCluster

NAME = "takeover"
WHAT = "time without service: crash, a service's death, orderly leave, join, restart of the agent; next to keepalived"
REPEATS = 20

_HOT, _CALM = 4, 2  # clients that send: of the host that it happens to, of each other
_BEFORE = _AFTER = 0.2
_SLOW = 0.9  # a TCP request that took longer has lost its first packet: it is sent again after a second


class Nlbd:
    crashes_alone = False

    def __init__(self, heartbeat=""):
        self._heartbeat = heartbeat

    def cluster(self):
        return Cluster(nodes=3, heartbeat=self._heartbeat)

    def prepare(self, cluster):
        asked = flows.many(600, VIP4, 7001)
        self._owners = {flow: int(name[3:]) for flow, name in expected(cluster, "udp", asked).items()}

    @staticmethod
    def victim(_, number):
        return number % 3 + 1

    def clients(self, node, number):
        """Those of the host, and others'; different ones each time."""
        mine = [flow for flow, owner in self._owners.items() if owner == node]
        first = number * _HOT % (len(mine) - _HOT)
        others = []
        for other in {1, 2, 3} - {node}:
            others += [flow for flow, owner in self._owners.items() if owner == other][first:first + _CALM]
        return mine[first:first + _HOT], others

    @staticmethod
    def service_died(cluster, node):
        """Waits until its clients are others'; which nodes go on."""
        cluster.wait_until(lambda: _buckets(cluster, node) == 0, f"web{node}'s buckets go to others")
        return cluster.ids

    @staticmethod
    def service_returned(cluster, node):
        # What died four times within a minute is held down for a while.
        cluster.wait_until(lambda: _buckets(cluster, node) > 0, f"web{node} has buckets again", seconds=90)

    @staticmethod
    def resumed(cluster):
        """How many agents have begun with what their predecessor had left."""
        return sum(cluster.log(node).count("agent: resumes") for node in cluster.ids)


class Forwarding(Nlbd):
    """It happens to the receiver, whose death stops the clients of all: all of them are concerned. Only that is measured;
    the rest is as with flooding."""

    crashes_alone = True

    def cluster(self):
        return Cluster(nodes=3, heartbeat=self._heartbeat, delivery="forward")

    @staticmethod
    def victim(cluster, _):
        return next(each["receiver"] for each in cluster.status(1)["virtual_ips"] if each["address"] == VIP4)

    def clients(self, node, number):
        mine, others = super().clients(node, number)
        return mine + others, []


def _buckets(cluster, node):
    return cluster.status(node)["rules"][0]["buckets"]


class Keepalived:
    crashes_alone = False

    def __init__(self, seconds):
        self._seconds = seconds

    def cluster(self):
        return VrrpCluster(self._seconds, nodes=3)

    def prepare(self, cluster):
        pass

    @staticmethod
    def victim(*_):
        return 1

    @staticmethod
    def clients(_, number):
        return flows.many(_HOT, VIP4, 7001, seed=number), []

    @staticmethod
    def service_died(cluster, node):
        return [other for other in cluster.ids if other != node]

    @staticmethod
    def service_returned(cluster, node):
        pass

    @staticmethod
    def resumed(_):
        return 0


CONTENDERS = {
    "nlbd, default (50/500 ms)": Nlbd(),
    "nlbd, 10/100 ms": Nlbd("interval_ms = 10\ndead_after_ms = 100"),
    "nlbd, forward, default": Forwarding(),
    "nlbd, forward, 10/100 ms": Forwarding("interval_ms = 10\ndead_after_ms = 100"),
    "keepalived, default (1 s)": Keepalived(1),
    "keepalived, 0.1 s": Keepalived(0.1),
    "keepalived, 0.03 s": Keepalived(0.03),
}


class Series:
    """The events of one kind: seconds without service, for the clients concerned and for the others."""

    def __init__(self, contender, cluster):
        self._contender, self._cluster = contender, cluster
        self.concerned, self.others, self.pauses, self.twice = [], [], [], 0

    @contextlib.contextmanager
    def event(self, node, number, until):
        """Clients send while the body makes the event happen, and until these nodes agree again."""
        concerned, others = self._contender.clients(node, number)
        pulses = Pulses(self._cluster.client, concerned + others)
        time.sleep(_BEFORE)
        until = list(until)
        yield until.extend
        self._cluster.wait_active(until)
        time.sleep(_AFTER)
        seen = pulses.stop()
        self.concerned.append(_longest(seen, concerned))
        self.others.append(_longest(seen, others))
        self.pauses.append(max(one.pause for one in seen.values()))
        self.twice += sum(one.twice for one in seen.values())
        check(all(one.answered for one in seen.values()), "some clients were never served: nothing is measured")

    def result(self):
        return {"concerned_ms": _milliseconds(self.concerned), "others_ms": _milliseconds(self.others),
                "sender_paused_ms": _milliseconds(self.pauses), "answered_twice": self.twice}


def _longest(seen, clients):
    """The client that was without service longest in all."""
    return max((sum(seen[client].gaps) for client in clients), default=0)


def _milliseconds(values):
    return [round(1000 * value, 2) for value in values]


def _crashes(contender, cluster, repeats):
    series = Series(contender, cluster)
    for number in range(repeats):
        node = contender.victim(cluster, number)
        with series.event(node, number, [other for other in cluster.ids if other != node]):
            cluster.crash(node)
        cluster.revive(node)
        cluster.wait_active(cluster.ids)
    return {"crash": series.result()}


def _service_deaths(contender, cluster, repeats):
    """The service alone is killed, and started again; host and agent live."""
    death, back = Series(contender, cluster), Series(contender, cluster)
    load = flows.Load(cluster.client, flows.many(300, VIP4, 7001, seed=2), per_second=100)
    load.start()
    for number in range(repeats):
        node = contender.victim(cluster, number)
        with death.event(node, number, []) as agree:
            cluster.kill_server(node)
            agree(contender.service_died(cluster, node))
        with back.event(node, number, cluster.ids):
            cluster.start_server(node)
            contender.service_returned(cluster, node)
    return {"service_death": death.result(), "service_return": back.result(),
            "tcp_service_death": _requests(load.stop())}


def _leaves_and_joins(contender, cluster, repeats):
    leave, join = Series(contender, cluster), Series(contender, cluster)
    for number in range(repeats):
        node = contender.victim(cluster, number)
        with leave.event(node, number, [other for other in cluster.ids if other != node]):
            cluster.terminate(node)
        with join.event(node, number, cluster.ids):
            cluster.start(node)
    return {"leave": leave.result(), "join": join.result()}


def _restarts(contender, cluster, repeats, end):
    """end: how the agent's process ends; a new one is started at once."""
    series, resumed = Series(contender, cluster), contender.resumed(cluster)
    for number in range(repeats):
        node = contender.victim(cluster, number)
        with series.event(node, number, cluster.ids):
            end(cluster, node)
            cluster.start(node)
    return dict(series.result(), resumed=contender.resumed(cluster) - resumed)


def _kill(cluster, node):
    cluster.kill(node)


def _hand_over(cluster, node):
    agent = cluster.agents.pop(node)
    os.kill(agent.pid, signal.SIGUSR2)
    agent.wait(20)


def _requests(attempts):
    return {"requests": len(attempts), "failed": sum(one.answer is None for one in attempts),
            "sent_again": sum(one.answer is not None and one.took > _SLOW for one in attempts)}


def _measure_one(contender, repeats, say):
    with contender.cluster() as cluster:
        cluster.start_all()
        cluster.wait_active(cluster.ids)
        contender.prepare(cluster)
        say("crashes")
        result = _crashes(contender, cluster, repeats)
        if contender.crashes_alone:
            return result
        say("deaths of the service")
        result |= _service_deaths(contender, cluster, repeats)
        load = flows.Load(cluster.client, flows.many(300, VIP4, 7002), per_second=100)
        load.start()
        say("orderly leaves and joins")
        result |= _leaves_and_joins(contender, cluster, repeats)
        say("restarts of the agent")
        result["killed"] = _restarts(contender, cluster, repeats, _kill)
        if isinstance(contender, Nlbd):
            result["handed_over"] = _restarts(contender, cluster, repeats, _hand_over)
        return dict(result, tcp=_requests(load.stop()))


def measure(options, say):
    """contender -> {event: {"concerned_ms": [...], ...}, "tcp": {...}}"""
    return {name: _measure_one(contender, options.repeats or REPEATS, lambda what: say(f"{name}: {what}"))
            for name, contender in CONTENDERS.items() if options.only in name}


EVENTS = {"crash": "a server crashes", "service_death": "a service dies", "service_return": "a service returns",
          "leave": "leaves in an orderly way", "join": "joins",
         "killed": "agent killed and started", "handed_over": "agent restarted (SIGUSR2)"}


def table(result):
    """Milliseconds: median / worst."""
    made = Table(["ms without service, median / worst"] + list(result))
    for event, text in EVENTS.items():
        made.add(text, *[_pair(one.get(event)) for one in result.values()])
    made.add("other servers' clients, worst of all", *[_others(one) for one in result.values()])
    for events, when in (("tcp", "crashes and services apart"), ("tcp_service_death", "when services die and return")):
        for key, text in (("failed", "TCP requests that failed, "), ("sent_again", "... that were sent twice, ")):
            made.add(text + when, *[_share(one.get(events), key) for one in result.values()])
    return made


def _share(counted, key):
    return f"{counted[key]} of {counted['requests']}" if counted else "-"


def _pair(series):
    if series is None:
        return "-"
    return f"{median(series['concerned_ms']):.0f} / {max(series['concerned_ms']):.0f}"


def _others(one):
    if "handed_over" not in one:  # keepalived: there are no others
        return "-"
    return f"{max(max(one[event]['others_ms']) for event in EVENTS if event in one):.0f}"
