# SPDX-License-Identifier: Apache-2.0
"""Eight nodes started at once: one cluster, every flow has one owner, shares are even, each agent under 64 MB.

    client --- bridge --- web1 ... web8
"""

import flows
from harness import VIP4, VIP6, Cluster, check, main
from owners import check_shares, check_tcp, check_udp


def resident_kib(pid):
    with open(f"/proc/{pid}/status") as file:
        return next(int(line.split()[1]) for line in file if line.startswith("VmRSS:"))


def test():
    nodes = list(range(1, 9))
    with Cluster(nodes=8) as cluster:
        cluster.start_all()
        cluster.wait_active(nodes, seconds=60)
        check_shares(check_tcp(cluster, flows.many(2000, VIP4, 7001)), nodes=8)
        check_shares(check_tcp(cluster, flows.many(2000, VIP6, 7002)), nodes=8)
        check_shares(check_udp(cluster, flows.many(2000, VIP4, 7002)), nodes=8)
        sizes = {node: resident_kib(agent.pid) for node, agent in cluster.agents.items()}
        print("resident:", sizes, "KiB")
        check(max(sizes.values()) < 64 << 10, f"an agent holds more than 64 MB: {sizes} KiB")


main(test)
