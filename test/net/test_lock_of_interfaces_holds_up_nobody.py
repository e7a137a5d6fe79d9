# SPDX-License-Identifier: Apache-2.0
"""Another process, or a driver, holds the kernel's lock of all interfaces for seconds: no node is fenced, no client
notices, and status says that the kernel tells nothing.

    client --- bridge --- web1 (leads), web2, web3        one kernel, so one lock for all three
"""

from harness import Cluster, check, main
from lock_of_interfaces import LockOfInterfaces
from watched import Watched


def problems(cluster, node):
    return [problem["name"] for problem in cluster.status(node)["problems"]]


def test():
    with Cluster(nodes=3) as cluster:
        cluster.start_all()
        cluster.wait_active([1, 2, 3])
        with Watched(cluster) as watch:
            with LockOfInterfaces():
                cluster.wait_until(lambda: all("host_not_seen" in problems(cluster, node) for node in cluster.ids),
                                   "all nodes say that the kernel does not answer")
            cluster.wait_until(lambda: not any(problems(cluster, node) for node in cluster.ids), "it answers again")
            cluster.wait_active([1, 2, 3])
        for node in cluster.ids:
            check("fenced" not in cluster.log(node), f"web{node} was fenced")
        watch.check_one_owner(changes=0)
        watch.check_served()


main(test)
