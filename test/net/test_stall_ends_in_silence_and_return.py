# SPDX-License-Identifier: Apache-2.0
"""An agent is stopped (SIGSTOP) for longer than dead_after, and goes on: its node falls silent before the others take
over, calls itself fenced until it is heard again, and joins by itself. No client ever has two owners. The same for the
leader.

    client --- bridge (a witness listens) --- web1 (leads), web2, web3
"""

import signal

import cuts
from harness import Cluster, check, main
from watched import Watched


def fenced(cluster, node):
    status = cluster.status(node)
    return status["state"] == "fenced" and "its lease ran out" in status["reason"]


def test():
    with Cluster(nodes=3) as cluster:
        cluster.start_all()
        cluster.wait_active([1, 2, 3])
        for stalled in (3, 1):
            name = cluster.label(stalled)
            others = [node for node in cluster.ids if node != stalled]
            with Watched(cluster) as watch:
                cluster.agents[stalled].send_signal(signal.SIGSTOP)
                try:
                    cluster.wait_active(others)
                    cluster.wait_until(lambda: watch.moved() > 30, "its clients are answered by the others")
                    cuts.cut(cluster, [name], [cluster.label(node) for node in others])  # so that it stays out
                finally:
                    cluster.agents[stalled].send_signal(signal.SIGCONT)
                cluster.wait_until(lambda: fenced(cluster, stalled), f"{name} calls itself fenced and says why")
                for noun in ("status", "members"):
                    check("fenced" in cluster.nlbctl(noun, node=stalled).stdout, f"nlbctl {noun} does not say fenced")
                cuts.mend(cluster)
                cluster.wait_active([1, 2, 3])
            check(f"{name}: fenced" in cluster.log(stalled), f"{name} has not logged that it was fenced")
            watch.check_one_owner(changes=2)
            watch.check_served([name])


main(test)
