#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Joins, leaves, kills and reloads for 10 minutes, under traffic: nothing that is promised breaks, and nothing grows.

    client --- bridge (a witness listens) --- web1 (its agent lives all the time), web2, web3, web4, web5

    NLBD_SOAK_SECONDS=60 NLBD_SOAK_SEED=7 NLBD_DATAPATH=pcap test/soak/soak.py

In each round three things happen (changes.py), one after the other, while clients ask without a pause and others stay
connected (net/watched.py): no SYN is answered by two nodes, no client whose node lives misses an answer or loses a
connection, and once all has settled every client is answered. Connections that web1 accepted before the others joined last
from the first minute to the last. A health check runs a command all the time; once in a round web1 is asked for its
metrics and shows its packets. Between the rounds the agents are measured (samples.py). In the end nothing is left of
them: programs, maps, mounts, namespaces, files.
"""

import os
import random
import sys
import time

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(1, os.path.join(os.path.dirname(HERE), "net"))
import connections  # noqa: E402
import flows  # noqa: E402
import netns  # noqa: E402
import scrape  # noqa: E402
import services  # noqa: E402
import snapshot  # noqa: E402
from changes import Changes  # noqa: E402
from configuration import RULES  # noqa: E402
from harness import VIP4, VIP6, Cluster, check, main  # noqa: E402
from owners import check_udp  # noqa: E402
from samples import Samples  # noqa: E402
from watched import Watched  # noqa: E402

WHOLE = 600
SECONDS = float(os.environ.get("NLBD_SOAK_SECONDS", WHOLE))
SEED = int(os.environ.get("NLBD_SOAK_SEED", random.randrange(1 << 32)))
# The right to serve outlasts the start of an agent on a machine that is busy, so one that is killed resumes.
HEARTBEAT = "dead_after_ms = 2000"
CHANGES = 3  # in a round
EXTRA = "\n[agent]\ndrain_ms = 500\n" + scrape.LISTEN + services.rule(
    'health = { type = "exec", command = ["/bin/true"], interval_ms = 500, timeout_ms = 500 }')


class Soak:
    def __init__(self, cluster):
        self._cluster, self._changes, self._samples = cluster, Changes(cluster, random.Random(SEED)), Samples()
        self._rounds = self._requests = self._datagrams = 0
        self._longest = 0.0

    def run(self):
        cluster, started = self._cluster, time.monotonic()
        pristine = {node: snapshot.take(cluster, node) for node in cluster.ids}
        cluster.start(1)
        cluster.wait_active([1])
        forever = connections.Held(cluster.client, flows.many(60, VIP4, 7001) + flows.many(40, VIP6, 7003))
        for node in cluster.ids[1:]:
            cluster.start(node)
        cluster.wait_active(cluster.ids)
        self._samples.take_bpf(cluster)
        with connections.Talking(forever, pause=1.0) as talking:
            while time.monotonic() < started + SECONDS:
                self._round(started)
                check(not forever.broken, f"connections of web1 broke: {list(forever.broken.items())[:3]}")
            self._changes.undo_all()
        check(talking.rounds > SECONDS / 60, "the connections that last have said too little to say anything")
        self._samples.take_bpf(cluster)
        self._report()
        self._end(pristine)

    def _round(self, started):
        cluster, changes = self._cluster, self._changes
        with Watched(cluster, clients=100, per_second=150, held=60, pause=0.3, patience=10) as watch:
            loses = []
            for number in range(CHANGES):
                change = changes.choose(harmless=number > 0)  # what moved in this round may not be lost in it
                print(f"{time.monotonic() - started:6.1f} s  web{change.node}: {change.name}", flush=True)
                changes.make(change)
                loses += change.loses
            settled, rounds = time.monotonic(), watch.talking.rounds
            cluster.wait_until(lambda: watch.talking.rounds >= rounds + 2, "all connections have talked since")
        watch.check_one_owner(changes=2 * CHANGES)
        watch.check_served(loses)
        unanswered = [one for one in watch.attempts if one.started > settled and one.answer is None]
        check(not unanswered, f"{len(unanswered)} requests were not answered after all had settled: {unanswered[:3]}")
        watch.held.close()
        self._look_at_web1()
        self._datagrams += len(check_udp(cluster, flows.many(60, VIP4, 7002, seed=self._rounds)))
        untouched = [one.took for one in watch.attempts if watch.owners[one.flow.source] not in loses]
        print(f"{'':10}{len(watch.attempts)} requests, the longest wait of who could not lose anything "
              f"{1000 * max(untouched):.0f} ms", flush=True)
        self._longest = max(self._longest, *untouched)
        self._rounds, self._requests = self._rounds + 1, self._requests + len(watch.attempts)
        self._samples.take(cluster)
        if self._rounds % 10 == 0:
            self._samples.take_bpf(cluster)

    def _look_at_web1(self):
        metrics = scrape.parse(scrape.get(self._cluster, "192.0.2.1", "/metrics").text)
        check(metrics.value("nlbd_rule_health_checks_total", rule="shop") > 0, "no health check has run")
        self._cluster.nlbctl("capture", "--count", 1, "--seconds", 5, node=1)

    def _report(self):
        cluster, samples = self._cluster, self._samples
        web1 = (1, cluster.agents[1].pid)
        print(f"\nseed {SEED}: {self._rounds} rounds, {self._requests} requests, {self._datagrams} datagrams; "
              f"the longest wait of a client whose node lived was {1000 * self._longest:.0f} ms (a lost SYN takes a second)")
        print(", ".join(f"{name} {count}" for name, count in self._changes.counts.most_common()))
        print(f"\nThe agent of web1, {len(samples.of[web1])} samples:\n{samples.table(web1)}")
        print(f"\nAll agents:\n{samples.lifetimes()}")
        print("\nBPF (seconds: agents, programs, maps):",
              ", ".join("{:.0f}: {}, {}, {}".format(*entry) for entry in samples.bpf_alive), "\n")
        if SECONDS >= WHOLE:
            samples.check_no_growth(web1)
        else:
            print(f"in less than {WHOLE} s, growth cannot be told from the warm-up")
        samples.check_no_bpf_growth()

    def _end(self, pristine):
        cluster = self._cluster
        for node in cluster.ids:
            check(cluster.terminate(node) == 0, "SIGTERM did not end in exit code 0")
            snapshot.check_same(pristine[node], snapshot.take(cluster, node))
        left = self._samples.bpf_left()
        check(not any(left.values()), f"BPF objects are left behind: {left}")


def test():
    print(f"seed {SEED}, {SECONDS:.0f} s")
    with Cluster(nodes=5, rules=RULES, heartbeat=HEARTBEAT, extra=EXTRA) as cluster:
        Soak(cluster).run()
    check(not netns.with_prefix(cluster.client.removesuffix("client")), "namespaces are left behind")
    with open("/proc/self/mounts") as mounts:
        check(cluster.directory not in mounts.read(), "mounts are left behind")


main(test)
