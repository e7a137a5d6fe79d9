# SPDX-License-Identifier: Apache-2.0
"""One rule, traffic, and 20 changes of the view: what an agent holds stays what it was, and little.

    client --- bridge --- web1, web2, web3

Resident are 18 MB, of which 15 are pages of programs and libraries; with pcap 30 more, the ring of captured packets. The
agent's own (anonymous) are 3 MB.
"""

import flows
from configuration import DATAPATH
from harness import NLBD, VIP4, Cluster, check, main, skip
from owners import check_tcp

RULE = """
[[rule]]
name = "all"
protocol = "both"
ports = "7001"
"""


RESIDENT = 56 if DATAPATH == "pcap" else 24  # MiB at most
OWN, GROWTH = 5, 0.5


def held(cluster):
    """node -> MiB: all that is resident, and the agent's own."""
    found = {}
    for node, agent in cluster.agents.items():
        with open(f"/proc/{agent.pid}/status") as file:
            kib = {line.split(":")[0]: int(line.split()[1]) for line in file if line.startswith(("VmRSS:", "RssAnon:"))}
        found[node] = (kib["VmRSS"] / 1024, kib["RssAnon"] / 1024)
    return found


def test():
    with open(NLBD, "rb") as program:
        if b"__asan_init" in program.read():
            skip("a sanitizer's own memory would be measured")
    with Cluster(nodes=3, rules=RULE) as cluster:
        cluster.start_all()
        cluster.wait_active([1, 2, 3])
        before = held(cluster)
        for _ in range(10):
            cluster.nlbctl("stop", node=3)
            cluster.wait_active([1, 2])
            cluster.nlbctl("start", node=3)
            cluster.wait_active([1, 2, 3])
        check_tcp(cluster, flows.many(2000, VIP4, 7001))
        for node, (resident, own) in held(cluster).items():
            told = f"web{node} holds {resident:.1f} MiB, {own:.2f} of its own, before {before[node][1]:.2f}"
            print(told)
            check(resident < RESIDENT and own < OWN and own < before[node][1] + GROWTH,
                  f"{told}; at most {RESIDENT}, {OWN}, and {GROWTH} more than before")


main(test)
