# SPDX-License-Identifier: Apache-2.0
"""The reader of an agent's log stands still: the agent goes on, and says later how many lines it has dropped.

    client --- bridge --- web1, web2 (its log is a pipe that is full)
"""

import fcntl
import os

import flows
from harness import VIP4, Cluster, check, main
from owners import check_shares, check_tcp


def full_pipe():
    """The end to read from, and the one to write to, which does not take a byte more."""
    reader, writer = os.pipe()
    fcntl.fcntl(writer, fcntl.F_SETPIPE_SZ, 4096)
    os.set_blocking(writer, False)
    try:
        while True:
            os.write(writer, bytes(4096))
    except BlockingIOError:
        os.set_blocking(writer, True)
    return reader, writer


def test():
    with Cluster(nodes=2) as cluster:
        reader, writer = full_pipe()
        cluster.start(1)
        cluster.start(2, log_file=f"/proc/self/fd/{writer}")
        cluster.wait_active([1, 2])
        for _ in range(3):
            cluster.nlbctl("stop", node=2)
            cluster.wait_active([1])
            cluster.nlbctl("start", node=2)
            cluster.wait_active([1, 2])
        check_shares(check_tcp(cluster, flows.many(1000, VIP4, 7001)), nodes=2)
        os.read(reader, 65536)
        cluster.nlbctl("stop", node=2)
        cluster.wait_active([1])
        told = os.read(reader, 65536).decode()
        check("log: lines lost (count=" in told, f"the log says nothing of what was dropped: {told}")


main(test)
