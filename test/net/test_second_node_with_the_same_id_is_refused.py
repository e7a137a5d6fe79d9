# SPDX-License-Identifier: Apache-2.0
"""A newcomer that calls itself web2 while web2 is alive: refused, both sides say so, the cluster goes on.

    client --- bridge --- web1, web2, web3, twin (also web2)
"""

import flows
from harness import VIP4, Cluster, check, main
from owners import check_tcp


def test():
    with Cluster(nodes=3) as cluster:
        cluster.start_all()
        cluster.wait_active([1, 2, 3])
        view = cluster.status(1)["view"]

        cluster.add_host("twin")
        cluster.start("twin", name="web2")
        twin = cluster.wait_until(lambda: (status := cluster.status("twin")) and "id 2" in (status["reason"] or "") and status,
                                  "the newcomer says that id 2 is taken")
        print("the newcomer says:", twin["reason"])
        check(twin["state"] != "active", "the newcomer calls itself active")
        cluster.wait_until(lambda: any("id=2" in cluster.log(node) for node in cluster.ids),
                           "a node of the cluster says that id 2 is claimed twice")

        check_tcp(cluster, flows.many(2000, VIP4, 7001))
        cluster.wait_active([1, 2, 3])
        check(cluster.status(1)["view"] == view, "the newcomer has changed the view")
        check(all(rule["buckets"] == 0 for rule in cluster.status("twin")["rules"]), "the newcomer holds buckets")

        cluster.kill(2)  # the id is free now
        cluster.wait_until(lambda: cluster.status("twin")["state"] == "active", "the newcomer takes the free id")
        cluster.wait_until(lambda: cluster.members(cluster.status(1)) == [1, 2, 3], "web1 sees three members")


main(test)
