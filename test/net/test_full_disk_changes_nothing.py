# SPDX-License-Identifier: Apache-2.0
"""No room for orders, for the log or for a capture: each says so or is counted, and the node goes on serving. So it does
with a disk that never answers.

    client --- bridge --- web1 (its disk hangs, in the end), web2 (its disks are full)
"""

import os
import subprocess

import flows
from harness import VIP4, Cluster, check, main
from owners import check_shares, check_tcp


def full_disk(directory):
    """Unmounted with the cluster."""
    os.makedirs(directory)
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=4k,mode=0700", "tmpfs", directory], check=True, timeout=30)
    with open(f"{directory}/filler", "wb") as file:
        file.write(bytes(4096))


def hang(cluster):
    state = f"{cluster.run_dir(1)}/state"
    os.makedirs(state, exist_ok=True)
    os.mkfifo(f"{state}/orders.json.new")  # opening it for writing waits for a reader
    for what in ("the order comes into force when it does", "nothing was changed"):
        done = cluster.nlbctl("weight", "web1", "20", node=1, check_exit=False)
        check(done.returncode == 1 and "the state directory does not answer" in done.stderr and what in done.stderr,
              f"a disk that hangs: exit {done.returncode}: {done.stderr}")
        check(cluster.agree([1, 2]) and cluster.status(1)["members"][0]["weight"] == 100, "the disk holds up the agent")
    # It answers, with an error: the log says so, because the caller has gone, and the next order is carried out.
    waiting = os.open(f"{state}/orders.json.new", os.O_RDONLY | os.O_NONBLOCK)
    cluster.wait_until(lambda: "warning: orders: write orders" in cluster.log(1), "the order that hung has failed")
    os.close(waiting)
    cluster.nlbctl("weight", "web1", "30", node=1)
    check(cluster.status(1)["members"][0]["weight"] == 30, "an order after one that hung is not obeyed")
    os.mkfifo(f"{state}/orders.json.new")
    cluster.nlbctl("weight", "web1", "40", node=1, check_exit=False)
    check(cluster.terminate(1) == 0, "the disk keeps the agent from ending")


def test():
    with Cluster(nodes=2) as cluster:
        state = f"{cluster.run_dir(2)}/state"
        full_disk(state)
        cluster.start(1)
        cluster.start(2, log_file="/dev/full")
        cluster.wait_active([1, 2])

        for order in (("stop",), ("weight", "web2", "10"), ("disable", "single")):
            done = cluster.nlbctl(*order, node=2, check_exit=False)
            check(done.returncode == 1 and "No space left on device" in done.stderr,
                  f"{order}: exit {done.returncode}: {done.stderr}")
        check(os.listdir(state) == ["filler"], f"left behind: {os.listdir(state)}")
        done = cluster.nlbctl("capture", "-w", f"{state}/packets", "--seconds", "1", node=2, check_exit=False)
        check(done.returncode == 1 and "No space left on device" in done.stderr,
              f"capture: exit {done.returncode}: {done.stderr}")

        cluster.wait_active([1, 2])
        check_shares(check_tcp(cluster, flows.many(1000, VIP4, 7001)), nodes=2)
        os.unlink(f"{state}/filler")
        cluster.nlbctl("weight", "web2", "10", node=2)
        cluster.wait_until(lambda: cluster.status(1)["members"][1]["weight"] == 10, "there is room again: the order holds")
        hang(cluster)


main(test)
