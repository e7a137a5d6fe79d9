# SPDX-License-Identifier: Apache-2.0
"""A node's way back to its clients leads by another interface, and its kernel checks reverse paths strictly: the node's clients
are answered all the same, by that interface, and after the agent's end the kernel checks as before.

                                 eth0 (rp_filter = 1)
    client --- bridge --- web2 <                        web1, web3
                                 eth2 (the route to the clients)
"""

import flows
import netns
from harness import VIP4, Cluster, check, main
from owners import expected

SYSCTLS = {"all": "0", "eth0": "1"}


def rp_filter(cluster, device):
    return netns.run(cluster.namespace(2), "cat", f"/proc/sys/net/ipv4/conf/{device}/rp_filter").stdout.strip()


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
        cluster.terminate(2)
        after = {device: rp_filter(cluster, device) for device in SYSCTLS}
        check(after == SYSCTLS, f"the kernel checks otherwise than before: {after}")


main(test)
