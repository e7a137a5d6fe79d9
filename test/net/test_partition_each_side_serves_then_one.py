# SPDX-License-Identifier: Apache-2.0
"""The heartbeat network falls apart, with `partition = "serve"`: each side serves all clients. Healed, every client has
one owner again, and the side that gave way says so once.

    client --- bridge0 --- web1 to web4 --- bridge1 | bridge2   (heartbeats: web1, web2 | web3, web4)
"""

from harness import Cluster, check, main
from watched import Watched


def merges(cluster):
    return sum(cluster.log(node).count("merge: ") for node in cluster.ids)


def test():
    with Cluster(nodes=4, heartbeat_network=True) as cluster:
        cluster.start_all()
        cluster.wait_active([1, 2, 3, 4])
        cluster.split_serves = True
        cluster.split(3, 4)
        cluster.wait_active([1, 2])
        cluster.wait_active([3, 4])
        with Watched(cluster, clients=100, held=0) as watch:  # a client that connects now gets two answers
            cluster.wait_until(lambda: len(watch.answered_twice()) > 50, "both sides serve")
        before = merges(cluster)

        cluster.heal()
        cluster.wait_active([1, 2, 3, 4])
        with Watched(cluster) as watch:
            pass
        watch.check_one_owner(changes=0)
        watch.check_served()
        check(merges(cluster) - before == 1, f"the merge was logged {merges(cluster) - before} times")


main(test)
