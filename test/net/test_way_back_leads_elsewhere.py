# SPDX-License-Identifier: Apache-2.0
"""A node's way back to its clients leads by another interface, and its kernel checks reverse paths strictly: the node's clients
are answered all the same, by that interface, and after the agent's end the kernel checks as before. When the way back is gone, status
names it.

                                 eth0 (rp_filter = 1)
    client --- bridge --- web2 <                        web1, web3
                                 eth2 (the route to the clients)
"""

import connections
import flows
import netns
from harness import VIP4, Cluster, check, main
from owners import expected

SYSCTLS = {"all": "0", "eth0": "1"}


def rp_filter(cluster, device):
    return netns.run(cluster.namespace(2), "cat", f"/proc/sys/net/ipv4/conf/{device}/rp_filter").stdout.strip()


def named(cluster):
    return "no_way_back" in [problem["name"] for problem in cluster.status(2)["problems"]]


def check_lost_way_is_named(cluster, node):
    held = connections.Held(cluster.client, flows.many(60, VIP4, 7001))
    cluster.wait_until(lambda: cluster.status(2)["connections"]["total"], "web2's connections have been counted")
    check(not named(cluster), "a way back is missed that is there")
    netns.ip(node, "route delete 198.18.0.0/15")
    cluster.wait_until(lambda: named(cluster), "status says that there is no way back")
    netns.ip(node, "route add 198.18.0.0/15 via 192.0.2.254 dev eth2")
    cluster.wait_until(lambda: not named(cluster), "there is one again")
    held.close()


def test():
    with Cluster(nodes=3) as cluster:
        node = cluster.namespace(2)
        netns.ip(cluster.switch, f"""
            link add second type veth peer name eth2 netns {node}
            link set second master bridge0
            link set second up""")
        netns.ip(node, """
            link set eth2 up
            address add 192.0.2.61/24 dev eth2
            route replace 198.18.0.0/15 via 192.0.2.254 dev eth2""")
        netns.sysctl(node, "net.ipv4.conf.eth0.rp_filter", 1)
        cluster.start_all()
        cluster.wait_active([1, 2, 3])
        for dport in (7001, 7002, 7003):
            asked = flows.many(60, VIP4, dport)
            check(flows.ask_tcp(cluster.client, asked) == expected(cluster, "tcp", asked), "some are not answered by their owner")
            owners = expected(cluster, "udp", asked)
            check(all(names == [owners[flow]] for flow, names in flows.ask_udp(cluster.client, asked).items()),
                  "some datagrams are not answered by their owner alone")
        check_lost_way_is_named(cluster, node)
        cluster.terminate(2)
        after = {device: rp_filter(cluster, device) for device in SYSCTLS}
        check(after == SYSCTLS, f"the kernel checks otherwise than before: {after}")


main(test)
