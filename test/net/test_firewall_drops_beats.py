# SPDX-License-Identifier: Apache-2.0
"""A host's firewall drops what its administrator has not thought of, beats among it: on one node, then on all, then from the
start. The nodes go on as one cluster, because they read the beats from the wire, and each says so. A node whose firewall keeps
its own beats in leaves, says so, and comes back when they get out again.

    client --- bridge (a witness listens) --- web1, web2, web3, with firewalls
"""

import netns
from harness import Cluster, check, main
from watched import Watched

FIREWALL = """
    add table inet firewall
    add chain inet firewall in { type filter hook input priority 0; policy drop; }
    add rule inet firewall in iif lo accept
    add rule inet firewall in meta l4proto { tcp, icmp, ipv6-icmp } accept"""


KEEPS_IN = """
    add table inet firewall
    add chain inet firewall out { type filter hook output priority 0; }
    add rule inet firewall out udp dport 7777 drop"""


def close(cluster, *nodes):
    for node in nodes:
        netns.run(cluster.namespace(node), "nft", FIREWALL)


def open_again(cluster, *nodes):
    for node in nodes:
        netns.run(cluster.namespace(node), "nft", "delete table inet firewall")


def problems(cluster, node):
    return [problem["name"] for problem in cluster.status(node)["problems"]]


def wait_named(cluster, *nodes):
    cluster.wait_until(lambda: all((problems(cluster, node) == ["beats_filtered"]) == (node in nodes) for node in cluster.ids),
                       f"web{nodes} and no other say that a firewall drops beats")


def keeps_its_own_in(cluster, node):
    netns.run(cluster.namespace(node), "nft", KEEPS_IN)
    cluster.wait_until(lambda: cluster.status(node)["state"] != "active" and problems(cluster, node) == ["beats_not_sent"],
                       f"web{node} leaves, and says that it sends no beats")
    cluster.wait_until(lambda: cluster.agree([other for other in cluster.ids if other != node]), "the others have its clients")
    open_again(cluster, node)
    cluster.wait_active(cluster.ids)


def test():
    with Cluster(nodes=3) as cluster:
        cluster.start_all()
        cluster.wait_active(cluster.ids)
        with Watched(cluster) as watch:
            close(cluster, 2)
            wait_named(cluster, 2)
            close(cluster, 1, 3)
            wait_named(cluster, 1, 2, 3)
            open_again(cluster, 1, 2, 3)
            wait_named(cluster)
        watch.check_one_owner(changes=0)
        watch.check_served()
        keeps_its_own_in(cluster, 3)
        for node in (1, 2):
            check("fenced" not in cluster.log(node), f"web{node} was fenced")
        for node in cluster.ids:
            cluster.terminate(node)
        close(cluster, 1, 2, 3)
        cluster.start_all()
        cluster.wait_active(cluster.ids)
        wait_named(cluster, 1, 2, 3)


main(test)
