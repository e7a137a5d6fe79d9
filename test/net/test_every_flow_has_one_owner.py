# SPDX-License-Identifier: Apache-2.0
"""Three nodes, 2,000 flows each of TCP and UDP, IPv4 and IPv6, every affinity: each answered by its owner alone. (An emulated
machine, which asks a tenth at once, has 300.)

    client --- bridge --- web1, web2, web3
"""

import flows
from harness import PATIENCE, VIP4, VIP6, Cluster, main
from owners import check_shares, check_tcp, check_udp, spread

FLOWS = 2000 if PATIENCE < 10 else 300
AFFINITIES = {7001: "none", 7002: "single", 7003: "network"}


def test():
    with Cluster(nodes=3) as cluster:
        cluster.start_all()
        cluster.wait_active([1, 2, 3])
        for port, affinity in AFFINITIES.items():
            for address in (VIP4, VIP6):
                asked = flows.many(FLOWS, address, port)
                for protocol, ask in (("tcp", check_tcp), ("udp", check_udp)):
                    answers = ask(cluster, asked)
                    print(f"{protocol} to {address}, affinity {affinity}: {spread(answers)}")
                    if affinity != "network":  # few networks, so no even spread
                        check_shares(answers, nodes=3)


main(test)
