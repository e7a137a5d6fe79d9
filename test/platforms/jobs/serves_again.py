# SPDX-License-Identifier: Apache-2.0
"""A node's agent is killed and started again, five times under traffic (or as often as the first argument says), then
replaced as an upgrade does it (SIGUSR2), and each time the node serves again.

    client --- bridge --- web1, web2 (its agent is killed), web3

Every second time the others have its buckets meanwhile, the other times it resumes within its right to serve. And no
node stepped down from the datapath that this system offers: what a compiler made of the programs, this kernel loads.
"""

import os
import signal
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "../../net"))

import flows  # noqa: E402
from harness import VIP4, Cluster, check, main  # noqa: E402
from owners import check_shares, check_tcp, expected  # noqa: E402


KILLED = int(sys.argv[1]) if len(sys.argv) > 1 else 5


class Proven(Cluster):
    def status(self, node):
        """At once an end, and not in a minute: what a program does not read now it will never read."""
        shown = super().status(node)
        flaws = [problem["text"] for problem in (shown or {"problems": []})["problems"] if problem["name"] == "filter_not_proven"]
        check(not flaws, f"web{node}: {flaws}")
        return shown


def vanish(cluster, node):
    """As an upgrade tells it to."""
    agent = cluster.agents.pop(node)
    agent.send_signal(signal.SIGUSR2)
    check(agent.wait(60) == 0, "SIGUSR2 did not end in exit code 0")


def test():
    with Proven(nodes=3, cluster='datapath = "auto"') as cluster:
        cluster.start_all()
        cluster.wait_active([1, 2, 3])
        for node in cluster.ids:
            shown = cluster.status(node)["datapath"]
            down = [line for line in cluster.log(node).splitlines() if "steps down" in line]
            check(shown["kind"] in ("xdp", "tc") and not down, f"web{node} filters with {shown}; {down}")
        print(f"datapath: {shown}", flush=True)

        clients = flows.many(100, VIP4, 7002, seed=2)
        owners = {flow.source: owner for flow, owner in expected(cluster, "tcp", clients).items()}
        load = flows.Load(cluster.client, clients, per_second=20)
        load.start()
        resumed = 0
        for turn in range(KILLED + 1):
            vanish(cluster, 2) if turn == KILLED else cluster.kill(2)
            if turn % 2 and turn < KILLED:
                cluster.wait_active([1, 3])
            cluster.start(2)
            cluster.wait_active([1, 2, 3])
            check_shares(check_tcp(cluster, flows.many(300, VIP4, 7001, seed=turn)), nodes=3)
            before, resumed = resumed, cluster.log(2).count("agent: resumes")
            print(f"{'told to vanish' if turn == KILLED else 'killed'} and started: serves again{', resumed' if resumed > before else ''}", flush=True)
        attempts = load.stop()
        failed = [attempt for attempt in attempts if attempt.answer is None and owners[attempt.flow.source] != "web2"]
        check(not failed, f"{len(failed)} of {len(attempts)} requests to nodes that nothing happened to failed: {failed[:3]}")
        check(cluster.terminate(2) == 0, "SIGTERM did not end in exit code 0")


main(test)
