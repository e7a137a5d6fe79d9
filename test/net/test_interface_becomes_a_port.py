# SPDX-License-Identifier: Apache-2.0
"""An interface of a node becomes a bridge's port while its agent runs, so that the bridge takes its frames and the agent hears
no node: the node gives its buckets away, says whose port it is, and comes back when that is undone. The clients' interface, with
beats on it, and one that beats alone go over.

    client --- bridge0 --- web1, web2 (eth0 becomes a port), web3
    bridge1 --- web1, web2 (eth1 becomes a port), web3             beats, the second time
"""

import flows
import netns
from harness import VIP4, VIP6, Cluster, check, main
from owners import check_tcp, check_udp


def problems(status):
    return [problem["name"] for problem in status["problems"]]


def check_served(cluster, nodes):
    cluster.wait_active(nodes)
    for address in (VIP4, VIP6):
        check_tcp(cluster, flows.many(100, address, 7001))
        check_udp(cluster, flows.many(100, address, 7001))


def becomes_a_port(cluster, interface, name):
    netns.ip(cluster.namespace(2), f"""
        link add br9 type bridge forward_delay 0
        link set br9 up
        link set {interface} master br9""")
    status = cluster.wait_until(lambda: (shown := cluster.status(2))["state"] == "stopped" and shown, "web2 leaves")
    check(name in problems(status), f"it says {status['problems']}")
    check("a port of br9" in status["reason"], f"its reason: {status['reason']}")
    check_served(cluster, [1, 3])
    netns.ip(cluster.namespace(2), "link delete br9")
    check_served(cluster, [1, 2, 3])
    check(problems(cluster.status(2)) == [], "the problem stays")


def test():
    with Cluster(nodes=3) as cluster:
        cluster.start_all()
        check_served(cluster, [1, 2, 3])
        becomes_a_port(cluster, "eth0", "host_unfit")
    with Cluster(nodes=3, heartbeat_network=True) as cluster:
        cluster.start_all()
        check_served(cluster, [1, 2, 3])
        becomes_a_port(cluster, "eth1", "beats_not_heard")


main(test)
