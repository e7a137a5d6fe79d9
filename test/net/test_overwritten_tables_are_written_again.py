# SPDX-License-Identifier: Apache-2.0
"""What a node serves is in its filter's memory, which something else has overwritten: the agent finds that within a second
or two, writes all of it again, says so, and counts it. No client is answered twice, and all are answered.

    client --- bridge --- web1, web2 (its filter's memory is overwritten), web3
"""

import time

import filter_memory
import flows
from harness import VIP4, VIP6, Cluster, check, main
from owners import check_shares, check_tcp

# See struct nlb_state in filter/verdict/layout.h.
GUARDED, LINGERING, GROUPS, OWNERS, MARKS = 64, 128, 64, 338448, 1420048


def fill(start, end, byte):
    def damage(memory):
        memory[start:end] = bytes([byte]) * (end - start)
    return damage


DAMAGES = {
    "the owner tables": fill(OWNERS, MARKS, 0),
    "the guarded groups": fill(GUARDED, GUARDED + GROUPS, 0xff),
    "the lingering groups": fill(LINGERING, LINGERING + GROUPS, 0xff),
}


def damaged_and_found(cluster, what, damage):
    """Each time anew: what the agent itself writes next may come first."""
    filter_memory.change(cluster.run_dir(2), damage)
    time.sleep(1.5)
    return f"put back ({what} as this node serves" in cluster.log(2)


def test():
    with Cluster(nodes=3) as cluster:
        cluster.start_all()
        cluster.wait_active([1, 2, 3])
        asked = flows.many(200, VIP4, 7001) + flows.many(100, VIP6, 7001)
        for what, damage in DAMAGES.items():
            cluster.wait_until(lambda: damaged_and_found(cluster, what, damage), f"{what} are written again")
            check_shares(check_tcp(cluster, asked), nodes=3)
        check(all(cluster.status(node)["problems"] == [] for node in cluster.ids), "a problem remains")
        counts = [cluster.status(node)["datapath"]["memory_put_back"] for node in cluster.ids]
        check(counts[1] >= len(DAMAGES) and counts[0] == counts[2] == 0, f"it is counted otherwise: {counts}")


main(test)
