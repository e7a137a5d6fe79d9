# SPDX-License-Identifier: Apache-2.0
"""Affinity single: an address has one node whatever its port. network: a /24 or /64 has one. none: ports spread.

    client --- bridge --- web1, web2, web3
"""

import ipaddress

import flows
from harness import VIP4, VIP6, Cluster, check, main
from owners import check_tcp


def network(flow):
    return ipaddress.ip_network(f"{flow.source}/{64 if ':' in flow.source else 24}", strict=False)


def nodes_by(key, answers):
    found = {}
    for flow, name in answers.items():
        found.setdefault(key(flow), set()).add(name)
    return found


def asked(destination, dport):
    """20 networks, 5 addresses in each, 8 ports of each."""
    if ":" in destination:
        sources = [flows.source6(net << 16 | host) for net in range(20) for host in range(1, 6)]
    else:
        sources = [flows.source4(net << 8 | host) for net in range(20) for host in range(1, 6)]
    return [flows.Flow(source, port, destination, dport) for source in sources for port in range(20000, 28000, 1000)]


def test():
    with Cluster(nodes=3) as cluster:
        cluster.start_all()
        cluster.wait_active([1, 2, 3])
        for address in (VIP4, VIP6):
            spread = nodes_by(lambda flow: flow.source, check_tcp(cluster, asked(address, 7001)))
            check(any(len(nodes) == 3 for nodes in spread.values()), "none: no address reaches all three nodes")
            for port, key, what in ((7002, lambda flow: flow.source, "address"), (7003, network, "network")):
                spread = nodes_by(key, check_tcp(cluster, asked(address, port)))
                several = {client: nodes for client, nodes in spread.items() if len(nodes) > 1}
                check(not several, f"one {what}, several nodes: {several}")
                check(len(set().union(*spread.values())) == 3, f"not all nodes serve the {len(spread)} {what}s")


main(test)
