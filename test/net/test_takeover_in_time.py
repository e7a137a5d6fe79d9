# SPDX-License-Identifier: Apache-2.0
"""Nodes crash, leave and lose their service: how long new connections find no node, against what is promised.

    client (a new connection every 4 ms, from clients of the node that it happens to) --- bridge --- web1, web2, web3

It happens to each node in turn, so the leader has its share. Median and worst are judged. A round in which the machine
itself stalled is not counted: it is played again (packaging/demonstration/stalls.py measures that). Packets of the pcap
datapath wait for a thread of ordinary priority, so there a round counts when such a one was not late.
"""

import multiprocessing
import os
import select
import socket
import statistics
import time

import flows
import netns
from configuration import DATAPATH
from harness import VIP4, Cluster, Stalled, check, main
from owners import expected
from stalls import PRIORITY, StallMeter

PORT = 7001
GAP = 0.004
AT_ONCE = 0.25    # a first packet that no node takes is sent again after a second
ROUNDS = 6        # of each kind; those that do not count come on top, as many at most
CALM = 0.6        # a node that has just started guards what it takes over, for dead_after
STALL = 0.01      # what the machine may be late by in a round that counts
PROMISED = {"crash": 0.6, "leave": 0.02, "service": 0.05}  # dead_after and 100 ms; a planned change; a listener's end


def connect_again(namespace, asked, ends, pipe):
    """A process of the agents' priority: connects until told to end; sends back (started, whether it was taken at once).

    A connection counts as soon as a node's kernel has taken its first packet: no program's haste is measured.
    """
    netns.die_with_parent()
    os.sched_setscheduler(0, os.SCHED_RR, os.sched_param(PRIORITY))
    poll, waiting, done = select.epoll(), {}, []
    due, number = time.monotonic(), 0

    def note(descriptor, taken):
        made, started = waiting.pop(descriptor)
        poll.unregister(descriptor)
        made.close()
        done.append((started, taken))

    with netns.inside(namespace):
        while waiting or not ends.is_set():
            if not ends.is_set() and time.monotonic() >= due:
                started = time.monotonic()
                made = flows.open_socket(asked[number % len(asked)], socket.SOCK_STREAM)
                waiting[made.fileno()] = (made, started)
                poll.register(made.fileno(), select.EPOLLOUT)
                number, due = number + 1, max(due + GAP, started)
            for descriptor, events in poll.poll(max(0.0, min(0.01, due - time.monotonic()))):
                note(descriptor, not events & (select.EPOLLERR | select.EPOLLHUP))
            now = time.monotonic()
            for descriptor in [key for key, (_, started) in waiting.items() if now - started > AT_ONCE]:
                note(descriptor, False)
    pipe.send(sorted(done))


class Connecting:
    """with Connecting(cluster, flows) as clients: ...   then clients.outage(): seconds in which some were not served"""

    def __init__(self, cluster, asked):
        self._ends = multiprocessing.Event()
        self._here, there = multiprocessing.Pipe(duplex=False)
        self._process = multiprocessing.Process(target=connect_again, args=(cluster.client, asked, self._ends, there), daemon=True)
        self.attempts = []

    def __enter__(self):
        self._process.start()
        self.begun = time.monotonic()
        time.sleep(0.2)  # not waiting for anything: that all is well before is part of what is measured
        return self

    def __exit__(self, *error):
        if error[0] is not None:
            self._process.kill()
            return
        time.sleep(0.3)  # and afterwards
        self.ended = time.monotonic()
        self._ends.set()
        check(self._here.poll(30), "the clients do not end")
        self.attempts = self._here.recv()
        self._process.join(10)

    def outage(self):
        """From the first one that was not served to the last."""
        missed = [started for started, taken in self.attempts if not taken]
        return max(missed) + GAP - min(missed) if missed else 0.0


class Rounds:
    def __init__(self, cluster, stalls):
        self._cluster, self._stalls = cluster, stalls
        asked = flows.many(2000, VIP4, PORT)
        owners = expected(cluster, "tcp", asked)
        self._clients = {node: [flow for flow in asked if owners[flow] == f"web{node}"] for node in cluster.ids}

    def crash(self, node, others):
        with Connecting(self._cluster, self._clients[node]) as clients:
            self._cluster.crash(node)
            self._cluster.wait_active(others)
        self._cluster.revive(node)
        return clients, clients.outage()

    def leave(self, node, others):
        with Connecting(self._cluster, self._clients[node]) as clients:
            self._cluster.nlbctl("stop", node=node)
            self._cluster.wait_active(others)
        self._cluster.nlbctl("start", node=node)
        return clients, clients.outage()

    def service(self, node, _):
        with Connecting(self._cluster, self._clients[node]) as clients:
            self._cluster.kill_server(node)
            self._cluster.wait_until(lambda: not self._buckets(node), f"web{node} lets go of the rule")
        self._cluster.start_server(node)
        return clients, clients.outage()

    def _buckets(self, node):
        return self._cluster.status(node)["rules"][0]["buckets"]

    def play(self, kind):
        """Seconds of the rounds that count."""
        counted, stalled = [], []
        for number in range(2 * ROUNDS):
            if len(counted) == ROUNDS:
                break
            time.sleep(CALM)  # not waiting for anything: nothing else may have happened in this time
            node = number % 3 + 1
            clients, took = getattr(self, kind)(node, [other for other in self._cluster.ids if other != node])
            late = self._stalls.worst(clients.begun, clients.ended)[0]
            (stalled if late > STALL else counted).append(took)
            self._cluster.wait_active(self._cluster.ids)
            # What dies four times within a minute is held down for a while.
            self._cluster.wait_until(lambda: all(map(self._buckets, self._cluster.ids)), "all serve again", seconds=120)
        if len(counted) < ROUNDS:
            raise Stalled(f"{kind}: the machine stalled in {len(stalled)} of {len(stalled) + len(counted)} rounds")
        return counted, stalled


def test():
    with Cluster(nodes=3) as cluster, StallMeter(ordinary=DATAPATH == "pcap") as stalls:
        cluster.start_all()
        cluster.wait_active(cluster.ids)
        rounds = Rounds(cluster, stalls)
        cluster.wait_until(lambda: all(map(rounds._buckets, cluster.ids)), "all serve")
        late = []
        for kind, promised in PROMISED.items():
            counted, stalled = rounds.play(kind)
            median, worst = statistics.median(counted), max(counted)
            said = (f"{kind}: median {1000 * median:.0f} ms, worst {1000 * worst:.0f} ms of {len(counted)} rounds, promised "
                    f"within {1000 * promised:.0f} ms; not counted: {[round(1000 * took) for took in stalled]} ms")
            print(said, flush=True)
            if worst > promised:
                late.append(said)
        check(not late, "later than promised: " + "; ".join(late))


main(test)
