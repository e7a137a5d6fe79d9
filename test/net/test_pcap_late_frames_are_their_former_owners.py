# SPDX-License-Identifier: Apache-2.0
"""The packets' thread of a pcap node is behind, with frames in its ring that came before the tables changed: it answers
none of those that another node has answered.

    client --- bridge --- web1 (pcap; its packets' thread gets what the others leave), web2 (leaves and comes back)
"""

import os
import subprocess

import netns
from harness import Cluster, check, main
from watched import Watched


def packets_thread(agent):
    for task in os.listdir(f"/proc/{agent.pid}/task"):
        with open(f"/proc/{agent.pid}/task/{task}/comm") as name:
            if name.read() == "packets\n":
                return int(task)
    return None


def test():
    with Cluster(nodes=2, heartbeat="dead_after_ms = 2000", cluster='datapath = "pcap"') as cluster:
        cluster.start_all()
        cluster.wait_active([1, 2])
        thread = packets_thread(cluster.agents[1])
        check(thread, "a pcap datapath without a thread for packets")
        os.sched_setscheduler(thread, os.SCHED_IDLE, os.sched_param(0))
        with Watched(cluster, clients=200, per_second=400, held=4) as watch:
            busy = [subprocess.Popen(["sh", "-c", "while :; do :; done"], preexec_fn=netns.die_with_parent)
                    for _ in range(2 * os.cpu_count())]
            try:
                for _ in range(6):
                    cluster.nlbctl("stop", node=2)
                    cluster.wait_active([1], 60)
                    cluster.nlbctl("start", node=2)
                    cluster.wait_active([1, 2], 60)
            finally:
                for one in busy:
                    one.kill()
                    one.wait()
        watch.check_one_owner(changes=12)


main(test)
