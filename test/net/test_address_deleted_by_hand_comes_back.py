# SPDX-License-Identifier: Apache-2.0
"""Somebody deletes the virtual IPs of a node, again and again: they are back at once, and nobody else answers for it.

    client --- bridge --- web1, web2 (loses its virtual IPs), web3
"""

import netns
from harness import VIP4, VIP6, Cluster, check, main
from watched import Watched


def places(cluster, address):
    """The interfaces of web2 that have it."""
    lines = netns.run(cluster.namespace(2), "ip", "-o", "address").stdout.splitlines()
    return [line.split()[1] for line in lines if f" {address}/" in line]


def test():
    with Cluster(nodes=3) as cluster:
        cluster.start_all()
        cluster.wait_active([1, 2, 3])
        view = cluster.status(1)["view"]
        before = {address: places(cluster, address) for address in (VIP4, VIP6)}
        with Watched(cluster) as watch:
            for _ in range(5):
                for address, width in ((VIP4, 32), (VIP6, 128)):
                    for interface in before[address]:
                        netns.ip(cluster.namespace(2), f"address delete {address}/{width} dev {interface}")
                    cluster.wait_until(lambda: places(cluster, address) == before[address], f"{address} is back")
                watch.talking.goes_on(cluster)
        watch.check_one_owner(changes=0)
        watch.check_served()
        check(cluster.status(1)["view"] == view, "the view has changed")
        check("host: put back" in cluster.log(2), cluster.log(2))


main(test)
