# SPDX-License-Identifier: Apache-2.0
"""The heartbeat network falls apart, with `partition = "quorum"`: the minority is silent before the majority takes over
its clients, and no client ever has two owners; healed, all serve again. The leader may be on either side. Alone, a node
of three does not serve.

    client --- bridge0 --- web1, web2, web3 --- bridge1 | bridge2   (heartbeats: one of them | the other two)
"""

from harness import Cluster, check, main
from watched import Watched


def silent(cluster, node):
    status = cluster.status(node)
    return status["state"] != "active" and status["reason"]


def test():
    with Cluster(nodes=3, heartbeat_network=True,
                 heartbeat='interfaces = ["eth1"]\npartition = "quorum"') as cluster:
        cluster.start_all()
        cluster.wait_active([1, 2, 3])
        for lonely in (1, 3):
            with Watched(cluster) as watch:
                cluster.split(lonely)
                cluster.wait_active([node for node in cluster.ids if node != lonely])
                cluster.wait_until(lambda: watch.moved() > 30, "its clients are answered by the others")
                check(silent(cluster, lonely), f"web{lonely} is alone and does not say that it does not serve")
                cluster.heal()
                cluster.wait_active([1, 2, 3])
            watch.check_one_owner(changes=2)
            watch.check_served([f"web{lonely}"])
        cluster.kill(1)
        cluster.wait_active([2, 3])
        cluster.kill(2)
        cluster.wait_until(lambda: silent(cluster, 3), "web3, the last of three, serves no more")
        cluster.wait_until(lambda: "with 1 of 3 nodes, quorum needs 2" in cluster.status(3)["reason"], "web3 says why")


main(test)
