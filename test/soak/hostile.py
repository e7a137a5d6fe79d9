#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""A hostile administrator: on one node of a cluster under traffic, one or two of the deeds of deeds.py at a time, undone again.

    client --- bridge (a witness listens) --- web1, web2 (the administrator's), web3

    NLBD_SOAK_SECONDS=60 NLBD_SOAK_SEED=7 NLBD_DATAPATH=pcap test/soak/hostile.py [WORD...]

Never do two nodes answer. The clients of other nodes notice nothing. The node's own clients are served again while the deed
lasts, by it or by others, or `status` names what is wrong there, except what the limits say. Once all is undone the node
is as it was, its host is as it was, and all is served. WORD...: only deeds whose names hold one of these, one after another.
"""

import collections
import os
import random
import re
import sys
import time

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(1, os.path.join(os.path.dirname(HERE), "net"))
import flows  # noqa: E402
import snapshot  # noqa: E402
from configuration import PATIENCE  # noqa: E402
from deeds import DEEDS, Doer  # noqa: E402
from harness import VIP4, VIP6, Cluster, check, main  # noqa: E402
from watched import Watched  # noqa: E402

SECONDS = float(os.environ.get("NLBD_SOAK_SECONDS", 600))
SEED = int(os.environ.get("NLBD_SOAK_SEED", random.randrange(1 << 32)))
VICTIM = 2
SERVED_WITHIN = 15 * PATIENCE  # seconds: a machine with two busy processors included


def without_numbers(state):
    """A program that was attached again has another id; the kernel counts who wants a group of its own; and where the agent has
    made rp_filter loose, it stays so until the agent ends."""
    return {what: [re.sub(r"( (id|tag|users) \w+|nlbd_\w+:\[\d+\])", "", line) for line in lines if "eth0/rp_filter" not in line]
            for what, lines in state.items()}


class Hostile:
    def __init__(self, cluster, dice):
        self._cluster, self._dice = cluster, dice
        self._seeds = iter(range(1000, 1 << 30))
        self.counts, self.told = collections.Counter(), collections.defaultdict(collections.Counter)

    def run(self, plan):
        for chosen in plan:
            self._round(chosen)

    def _unanswered(self):
        """How many of some new clients, over both families, get no answer."""
        asked = [flow for vip in (VIP4, VIP6) for flow in flows.many(45, vip, 7002, seed=next(self._seeds))]
        answers = flows.ask_tcp(self._cluster.client, asked, timeout=2.0 * PATIENCE)
        return sum(answer in (None, flows.REFUSED) for answer in answers.values())

    def _all_served(self, within):
        end = time.monotonic() + within
        while self._unanswered():
            if time.monotonic() > end:
                return False
        return True

    def _endure(self):
        """What a deed does may show only after a death has been declared, or the host been looked at."""
        end = time.monotonic() + self._dice.uniform(1, 3) * PATIENCE
        while time.monotonic() < end:
            self._unanswered()

    def _said(self):
        """What `status` of the node names, or its state where that is not active; empty: all is well by its own word."""
        status = self._cluster.status(VICTIM)
        if status is None:
            return ["no agent"]
        return [problem["name"] for problem in status["problems"]] + [status["state"]] * (status["state"] != "active")

    def _round(self, chosen):
        cluster, names = self._cluster, " and ".join(deed.name for deed in chosen)
        before, started = without_numbers(snapshot.take(cluster, VICTIM)), time.monotonic()
        with Watched(cluster, clients=100, per_second=100, held=45, pause=0.3, patience=10) as watch, \
                Doer(cluster, VICTIM) as doer:
            for deed in chosen:
                doer.do(deed)
                self.counts[deed.name] += 1
            limited = any(deed.limit for deed in chosen)
            served, said = self._all_served(3 if limited else SERVED_WITHIN), self._said()
            check(served or limited or said, f"clients are lost while {names}, and status says nothing")
            self._endure()
            said = list(dict.fromkeys(said + self._said()))
            for deed in reversed(chosen):
                doer.undo(deed)
            cluster.wait_until(lambda: not self._said(), f"web{VICTIM} is well again after: {names}", 60)
            cluster.wait_active(cluster.ids, 60)
            check(self._all_served(SERVED_WITHIN), f"clients are lost after: {names}")
        watch.held.close()
        watch.check_none_twice()
        watch.check_served([f"web{VICTIM}"])
        changes = snapshot.difference(before, without_numbers(snapshot.take(cluster, VICTIM)))
        check(not changes, f"something is left behind by: {names}:\n" + "\n".join(changes))
        for name in said or ["-"]:
            self.told[names][name] += 1
        print(f"{time.monotonic() - started:5.1f} s  {names}: {'served' if served else 'clients lost'}; "
              f"status: {', '.join(said) or 'all well'}", flush=True)


def check_limits():
    with open(os.path.join(os.path.dirname(HERE), "../etc/guide/limits.md")) as file:
        limits = file.read()
    unsaid = {deed.limit for deed in DEEDS if deed.limit and f"- {deed.limit}" not in limits}
    check(not unsaid, f"the guide's limits do not say: {unsaid}")


def by_dice(dice):
    """One deed at a time, or two, for SECONDS."""
    end = time.monotonic() + SECONDS
    while time.monotonic() < end:
        yield dice.sample(DEEDS, dice.choice([1, 1, 2]))


def test():
    check_limits()
    words, dice = sys.argv[1:], random.Random(SEED)
    named = [[deed] for deed in DEEDS if any(word in deed.name for word in words)]
    print(f"seed {SEED}, {len(named)} deeds" if words else f"seed {SEED}, {SECONDS:.0f} s, {len(DEEDS)} deeds", flush=True)
    with Cluster(nodes=3) as cluster:
        cluster.start_all()
        cluster.wait_active(cluster.ids)
        hostile = Hostile(cluster, dice)
        hostile.run(named if words else by_dice(dice))
    print(f"{sum(hostile.counts.values())} deeds, {len(hostile.counts)} of {len(DEEDS)} kinds")


main(test)
