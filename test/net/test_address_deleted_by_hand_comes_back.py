# SPDX-License-Identifier: Apache-2.0
"""An administrator deletes the virtual IPs of a node, again and again: they are soon back, and no other node answers for it.

    client --- bridge --- web1, web2 (loses its virtual IPs), web3

Soon is within a second, by a clock that stands still when the machine does: the node's beats, 20 to 27 a second.
"""

import statistics

import netns
from harness import VIP4, VIP6, Cluster, check, main
from watched import Watched


def places(cluster, address):
    """The interfaces of web2 that have it."""
    lines = netns.run(cluster.namespace(2), "ip", "-o", "address").stdout.splitlines()
    return [line.split()[1] for line in lines if f" {address}/" in line]


def beats_until_back(cluster, address, interfaces):
    """How many beats web2 sends from the loss to the return of an address."""
    before, width = cluster.status(2)["beats"]["sent"], 128 if ":" in address else 32
    for interface in interfaces:
        netns.ip(cluster.namespace(2), f"address delete {address}/{width} dev {interface}")
    cluster.wait_until(lambda: places(cluster, address) == interfaces, f"{address} is back")
    return cluster.status(2)["beats"]["sent"] - before


def test():
    with Cluster(nodes=3) as cluster:
        cluster.start_all()
        cluster.wait_active([1, 2, 3])
        view = cluster.status(1)["view"]
        before = {address: places(cluster, address) for address in (VIP4, VIP6)}
        took = []
        with Watched(cluster) as watch:
            for _ in range(5):
                took += [beats_until_back(cluster, address, before[address]) for address in (VIP4, VIP6)]
                watch.talking.goes_on(cluster)
        print(f"beats until an address was back: {sorted(took)}")
        check(statistics.median(took) <= 27, f"addresses are back only after {sorted(took)} beats")
        watch.check_one_owner(changes=0)
        watch.check_served()
        check(cluster.status(1)["view"] == view, "the view has changed")
        check("host: put back" in cluster.log(2), cluster.log(2))


main(test)
