# SPDX-License-Identifier: Apache-2.0
"""`interval_ms = 10, dead_after_ms = 100`: the cluster forms, nobody is taken for dead while nothing happens, a node
crashes and returns, and no request is ever answered by two nodes.

    client --- bridge (a witness listens) --- web1, web2 (crashes, returns), web3

A machine that stalls for longer than such a lease makes nodes fall silent, and rightly so: a quiet while counts only when
this test's own thread was never late.
"""

import threading
import time

import flows
from harness import TWO_OWNERS, VIP4, Cluster, Failed, check, main
from watched import Watched

QUIET, LATE = 5.0, 0.02


class Lateness(threading.Thread):
    """How late a thread of ordinary priority was at worst."""

    def __init__(self):
        super().__init__(daemon=True)
        self.worst = 0.0
        self._stopping = threading.Event()

    def run(self):
        due = time.monotonic()
        while not self._stopping.is_set():
            due += 0.005
            time.sleep(max(0.0, due - time.monotonic()))
            self.worst = max(self.worst, time.monotonic() - due)
            due = max(due, time.monotonic())

    def __enter__(self):
        self.start()
        return self

    def __exit__(self, *_):
        self._stopping.set()
        self.join(10)


def history(cluster):
    """What changes when a node is taken for dead or loses its lease."""
    return [(cluster.status(node)["view"], cluster.log(node).count("new life")) for node in cluster.ids]


def stays_as_it_is(cluster):
    for _ in range(12):
        before = history(cluster)
        with Lateness() as lateness:
            time.sleep(QUIET)  # that nothing happens is what is tested
        after = history(cluster)
        if after == before:
            return
        check(lateness.worst > LATE, f"with nothing going on, from {before} to {after}")
        cluster.wait_active(cluster.ids)
    raise Failed("the machine stalls all the time")


def all_served_by(cluster, names):
    got = flows.ask_tcp(cluster.client, flows.many(500, VIP4, 7001))
    return set(got.values()) == set(names)


def test():
    with Cluster(nodes=3, heartbeat="interval_ms = 10\ndead_after_ms = 100") as cluster:
        cluster.start_all()
        cluster.wait_active([1, 2, 3])
        stays_as_it_is(cluster)
        with Watched(cluster) as watch:
            cluster.crash(2)
            cluster.wait_active([1, 3])
            cluster.wait_until(lambda: all_served_by(cluster, ["web1", "web3"]), "the others serve everybody")
            cluster.revive(2)
            cluster.wait_active([1, 2, 3])
        check(not watch.answered_twice(), f"{TWO_OWNERS}{watch.answered_twice()}")
        cluster.wait_until(lambda: all_served_by(cluster, ["web1", "web2", "web3"]), "all serve")


main(test)
