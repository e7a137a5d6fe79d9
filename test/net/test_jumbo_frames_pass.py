# SPDX-License-Identifier: Apache-2.0
"""An MTU of 9000: datagrams of 8 kB in one frame, and bulk transfers both ways, over each datapath, IPv4 and IPv6.

    client --- bridge --- web1, web2, web3      (MTU 9000 everywhere)

In the driver such a frame comes in several buffers, of which XDP reads the first alone.
"""

import flows
import netns
from configuration import RULES
from harness import SERVICE_PORTS, VIP4, VIP6, Cluster, check, main
from pairs import PORT, RULE, Bulk, Pairs
from test_fragments_are_answered import ask, send_in_order
from owners import check_tcp


def widen(cluster):
    for port in ["client"] + [f"web{node}" for node in cluster.ids]:
        netns.ip(cluster.switch, f"link set {port} mtu 9000")
    for host in [cluster.client] + [cluster.namespace(node) for node in cluster.ids]:
        netns.ip(host, "link set eth0 mtu 9000")
    netns.ip(cluster.switch, "link set bridge0 mtu 9000")


def test_mode(datapath, mode):
    with Cluster(nodes=3, rules=RULES + RULE, cluster=f'datapath = "{datapath}"') as cluster:
        widen(cluster)
        cluster.start_all()
        cluster.wait_active([1, 2, 3])
        check({cluster.status(node)["datapath"]["mode"] for node in cluster.ids} == {mode}, f"not all are {mode}")
        for address in (VIP4, VIP6):
            check_tcp(cluster, flows.many(60, address, 7001))  # all know their neighbours' MAC addresses
            for port in SERVICE_PORTS:
                ask(cluster, flows.many(60, address, port), send_in_order)
            through = Pairs(cluster, address)
            pairs = [through.connect(flow) for flow in flows.many(24, address, PORT)]
            check({pair.node for pair in pairs} == {1, 2, 3}, "one node has no connection at all")
            bulk = Bulk(pairs)
            try:
                bulk.all_flow()
            finally:
                bulk.stop()
        for node in cluster.ids:
            counters = cluster.status(node)["counters"]
            for reason in ("later_fragment", "header_too_deep", "too_short", "ip_length", "truncated", "unfiltered"):
                check(counters[reason] == 0, f"web{node} has counted {counters[reason]} {reason}")


def test():
    test_mode("xdp-generic", "generic")
    test_mode("xdp-native", "native")
    test_mode("tc", "clsact")
    test_mode("pcap", "tap")


if __name__ == "__main__":
    main(test)
