# SPDX-License-Identifier: Apache-2.0
"""Beats and commands need no IPv4: hosts that have none form one cluster. A node whose heartbeat interface has no address of
either family cannot be heard: it serves nothing, says which interface lacks what, and comes back when it has one.

    client --- bridge0 --- web1, web2, web3     (eth0: IPv6 alone)
    bridge1 --- web1, web2, web3                (eth1: link-local IPv6 alone, and in the end IPv4 alone)
"""

import flows
import netns
from harness import VIP6, Cluster, check, main
from owners import check_shares, check_tcp

MUTE = "no beats can be sent: eth1 has neither an IPv4 nor an IPv6 link-local address"


def check_served(cluster, nodes):
    cluster.wait_active(nodes)
    check_shares(check_tcp(cluster, flows.many(500, VIP6, 7001)), nodes=len(nodes))


def without_ipv6(cluster, node, yes=1):
    netns.sysctl(cluster.namespace(node), "net.ipv6.conf.eth1.disable_ipv6", yes)


def test():
    with Cluster(nodes=3, heartbeat_network=True, virtual_ips=(VIP6,)) as cluster:
        for node in cluster.ids:
            netns.ip(cluster.namespace(node), f"""
                address delete 192.0.2.{node}/24 dev eth0
                address delete 198.51.100.{node}/24 dev eth1""")
        cluster.start_all()
        check_served(cluster, [1, 2, 3])
        check(all(cluster.status(node)["problems"] == [] for node in cluster.ids), "problems in a cluster without IPv4")

        cluster.nlbctl("stop", "web2", node=1)
        check(cluster.status(2)["state"] == "stopped", "a command does not travel over IPv6")
        cluster.nlbctl("start", "all", node=3)
        cluster.wait_active([1, 2, 3])

        without_ipv6(cluster, 2)
        status = cluster.wait_until(lambda: (shown := cluster.status(2))["state"] == "stopped" and shown, "web2 stops serving")
        check(status["reason"].startswith(MUTE), f"its reason: {status['reason']}")
        check([problem["name"] for problem in status["problems"]] == ["beats_not_sent"], f"it says {status['problems']}")
        check_served(cluster, [1, 3])
        without_ipv6(cluster, 2, 0)
        check_served(cluster, [1, 2, 3])

        # It starts without an address, and takes part as soon as it has one: IPv4 this time, as the others get.
        check(cluster.terminate(3) == 0, "web3 ends")
        without_ipv6(cluster, 3)
        cluster.start(3)
        cluster.wait_until(lambda: (shown := cluster.status(3)) and shown["reason"] and shown["reason"].startswith(MUTE),
                           "web3, mute, says so")
        for node in cluster.ids:
            netns.ip(cluster.namespace(node), f"address add 198.51.100.{node}/24 dev eth1")
        check_served(cluster, [1, 2, 3])
        cluster.nlbctl("stop", "web3", node=1)
        check(cluster.status(3)["state"] == "stopped", "a command does not travel over IPv4")


main(test)
