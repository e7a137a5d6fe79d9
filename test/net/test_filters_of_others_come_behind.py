# SPDX-License-Identifier: Apache-2.0
"""On the tc hook of a node another filter is added that lets everything pass, and so ends the way through the hook: nlbd's comes
before it, whatever preference it has, and the node's clients are served as before. With native XDP on veth, where TCP hangs on it.

    client --- bridge --- web1, web2 (a filter of others), web3
"""

import flows
import netns
from harness import VIP4, VIP6, Cluster, check, main
from owners import check_tcp, check_udp
from test_impossible_start_says_why import foreign_program


def add_filter(cluster, preference):
    netns.run(cluster.namespace(2), "tc", "filter", "add", "dev", "eth0", "ingress", "pref", preference, "bpf", "direct-action",
              "obj", foreign_program(cluster, "classifier"), "sec", "classifier")


def check_served(cluster):
    cluster.wait_active([1, 2, 3])
    for address in (VIP4, VIP6):
        check_tcp(cluster, flows.many(100, address, 7001))
        check_udp(cluster, flows.many(100, address, 7001))


def test():
    with Cluster(nodes=3, cluster='datapath = "xdp-native"') as cluster:
        for preference in (2, 1000):
            cluster.start_all()
            check_served(cluster)
            add_filter(cluster, preference)
            check_served(cluster)
            cluster.terminate(2)
            shown = netns.run(cluster.namespace(2), "tc", "filter", "show", "dev", "eth0", "ingress").stdout
            check("foreign.o" in shown and "nlbd_tc" not in shown, f"after the agent's end there is {shown}")
            netns.run(cluster.namespace(2), "tc", "qdisc", "delete", "dev", "eth0", "clsact")
            for node in (1, 3):
                cluster.terminate(node)


main(test)
