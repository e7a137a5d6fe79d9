# SPDX-License-Identifier: Apache-2.0
"""The agents of the former release, which speaks another version of the protocol, are replaced as a package does it
(SIGUSR2), under traffic: what etc/guide/upgrading.md says about that is so.

    client --- bridge --- web1 (replaced last), web2 (drained first), web3 (replaced as it is)

One after the other: no client ever has two owners. web3's connections are lost as in a crash, those of no other node are;
web3 and web2 serve nothing until web1 is replaced, whose connections stay. All at once: no connection breaks. The new agents
know the orders of the former ones, and what those have changed on their hosts.
"""

import os
import signal
import subprocess
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "../net"))

import connections  # noqa: E402
import flows  # noqa: E402
import snapshot  # noqa: E402
from harness import NLBD, PATIENCE, VIP4, Cluster, Failed, check, main, skip  # noqa: E402
from owners import check_shares, check_tcp  # noqa: E402
from watched import Watched  # noqa: E402

HEARS_FORMER = "hears beats of this cluster under another key or of another version"


def build_former():
    if "NLBD_FORMER" in os.environ:  # in an emulated machine, which has no history to build it from
        return os.environ["NLBD_FORMER"]
    done = subprocess.run([os.path.join(os.path.dirname(os.path.abspath(__file__)), "former")], capture_output=True, text=True,
                          check=False)
    if done.returncode == 77:
        skip(done.stderr.strip())
    if done.returncode != 0:
        raise Failed(done.stderr)
    return done.stdout.strip()


class Mixed(Cluster):
    """Nodes run the former release's agent until they are upgraded."""

    def __init__(self, former):
        self._former, self._upgraded = former, set()
        super().__init__(nodes=3, heartbeat="dead_after_ms = 2000" if PATIENCE <= 1 else "")  # or harness's patient times

    def program(self, node):
        return NLBD if node in self._upgraded else self._former

    def upgrade(self, *nodes):
        for node in nodes:
            agent = self.agents.pop(node)
            agent.send_signal(signal.SIGUSR2)
            check(agent.wait(60 * PATIENCE) == 0, "SIGUSR2 did not end in exit code 0")
            self._upgraded.add(node)
        for node in nodes:
            self.start(node)

    def wait_outside(self, node):
        self.wait_until(lambda: (status := self.status(node)) and status["reason"] == HEARS_FORMER
                        and status["state"] == "joining", f"web{node} says that it hears the former release")


def replace_one_as_it_is(cluster):
    with Watched(cluster) as watch:
        cluster.upgrade(3)
        cluster.wait_active([1, 2])
        cluster.wait_outside(3)
        lost = watch.held.of("web3")  # one after the other: for a while web3's host answers as well
        cluster.wait_until(lambda: set(lost) <= set(watch.held.broken), "web3's connections are reset")
    watch.check_one_owner(changes=1)
    watch.check_served(lost=["web3"])
    print(f"web3, as it is: its {len(lost)} connections broke, no other", flush=True)


def replace_a_drained_one_and_the_last(cluster):
    cluster.nlbctl("drain", node=2)
    cluster.wait_until(lambda: cluster.status(1)["members"][1]["state"] == "draining", "web2 drains")
    with Watched(cluster) as watch:
        check(set(watch.owners.values()) == {"web1"}, f"others than web1 serve: {set(watch.owners.values())}")
        cluster.upgrade(2)
        cluster.wait_until(lambda: cluster.status(2) and cluster.status(2)["state"] != "active", "web2 is there")
        cluster.upgrade(1)
        cluster.wait_active([1, 3])
        watch.talking.goes_on(cluster)
    watch.check_none_twice()
    check(not watch.held.broken, f"{len(watch.held.broken)} connections broke: {list(watch.held.broken.items())[:3]}")
    print(f"web2, drained, and web1, the last: none of {len(watch.held)} connections broke", flush=True)
    state = cluster.status(2)["state"]
    check(state in ("draining", "stopped"), f"web2 has forgotten its order: {state}")
    cluster.nlbctl("start", node=2)


def one_after_the_other(former):
    with Mixed(former) as cluster:
        pristine = [snapshot.take(cluster, node) for node in cluster.ids]
        cluster.start_all()
        cluster.wait_active(cluster.ids)
        replace_one_as_it_is(cluster)
        replace_a_drained_one_and_the_last(cluster)
        cluster.wait_active(cluster.ids)
        check_shares(check_tcp(cluster, flows.many(300, VIP4, 7001, seed=9)), nodes=3)
        for node in cluster.ids:
            check(cluster.terminate(node) == 0, f"web{node}: SIGTERM did not end in exit code 0")
            snapshot.check_same(pristine[node - 1], snapshot.take(cluster, node))


def all_at_once(former):
    with Mixed(former) as cluster:
        cluster.start_all()
        cluster.wait_active(cluster.ids)
        held = connections.Held(cluster.client, flows.many(150, VIP4, 7001))
        with connections.Talking(held) as talking:
            cluster.upgrade(*cluster.ids)
            cluster.wait_active(cluster.ids)
            talking.goes_on(cluster)
        check(not held.broken, f"{len(held.broken)} connections broke: {list(held.broken.items())[:3]}")
        print(f"all at once: none of {len(held)} connections broke", flush=True)


def test():
    former = build_former()
    one_after_the_other(former)
    all_at_once(former)


main(test)
