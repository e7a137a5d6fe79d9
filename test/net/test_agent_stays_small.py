# SPDX-License-Identifier: Apache-2.0
"""One rule, traffic, and 20 changes of the view: every agent's resident memory stays under 64 MB.

    client --- bridge --- web1, web2, web3
"""

import flows
from harness import NLBD, VIP4, Cluster, check, main, skip
from owners import check_tcp

RULE = """
[[rule]]
name = "all"
protocol = "both"
ports = "7001"
"""


def resident_kib(pid):
    with open(f"/proc/{pid}/status") as file:
        return next(int(line.split()[1]) for line in file if line.startswith("VmRSS:"))


def test():
    with open(NLBD, "rb") as program:
        if b"__asan_init" in program.read():
            skip("a sanitizer's own memory would be measured")
    with Cluster(nodes=3, rules=RULE) as cluster:
        cluster.start_all()
        cluster.wait_active([1, 2, 3])
        for _ in range(10):
            cluster.nlbctl("stop", node=3)
            cluster.wait_active([1, 2])
            cluster.nlbctl("start", node=3)
            cluster.wait_active([1, 2, 3])
        check_tcp(cluster, flows.many(2000, VIP4, 7001))
        sizes = {node: resident_kib(agent.pid) for node, agent in cluster.agents.items()}
        print("resident:", sizes, "KiB")
        check(max(sizes.values()) < 64 << 10, f"an agent holds more than 64 MB: {sizes} KiB")


main(test)
