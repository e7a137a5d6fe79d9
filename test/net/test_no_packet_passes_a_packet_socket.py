# SPDX-License-Identifier: Apache-2.0
"""While a cluster serves over XDP or tc, no packet of a client passes a packet socket, which would cost each of them: those
that an agent has are of ARP, or of a type of frame that no host sends. With a witness of either family. Questions for the
virtual IPs are answered. (While a node is missed, the others look for its beats on the wire, too, and for some seconds more.)

    client (gateway) --- bridge --- web1, web2, web3
"""

import flows
import netns
from configuration import DATAPATH
from harness import VIP4, VIP6, Cluster, check, main, skip
from owners import check_shares, check_tcp

ARP, UNUSED = "0806", "88b5"  # the second one is IEEE's for local experiments: sending sockets are bound to it
WITNESSES = ("192.0.2.250", "2001:db8::250")


def protocols(cluster, node):
    """Of the packet sockets in the node's namespace."""
    lines = netns.run(cluster.namespace(node), "cat", "/proc/net/packet").stdout.splitlines()
    return {line.split()[3] for line in lines[1:]}


def others(cluster):
    return {node: found for node in cluster.ids if (found := protocols(cluster, node) - {ARP, UNUSED})}


def test_witness(witness):
    # On a busy machine a beat each 50 ms is often late enough to be missed.
    with Cluster(nodes=3, heartbeat=f'witness = "{witness}"\ninterval_ms = 200\ndead_after_ms = 2000') as cluster:
        prefix = "64 dev eth0 nodad" if ":" in witness else "24 dev eth0"
        netns.ip(cluster.client, f"address add {witness}/{prefix}")
        cluster.start_all()
        cluster.wait_active([1, 2, 3])
        cluster.wait_until(lambda: not others(cluster), "packets of clients pass no packet socket", 60)
        check_shares(check_tcp(cluster, flows.many(200, VIP4, 7001) + flows.many(100, VIP6, 7001)), nodes=3)
        cluster.wait_until(lambda: not others(cluster), "packets of clients pass no packet socket", 60)
        counters = [cluster.status(node)["neighbours"] for node in cluster.ids]
        check(sum(each["answered"] for each in counters) >= 2, f"the questions were not answered: {counters}")


def test():
    if DATAPATH == "pcap":
        skip("pcap judges what packet sockets hear")
    for witness in WITNESSES:
        test_witness(witness)


main(test)
