# SPDX-License-Identifier: Apache-2.0
"""An agent is stopped (SIGSTOP) for longer than dead_after, and goes on: its node falls silent before the others take
over, says that it was fenced, joins again by itself. No client ever has two owners. The same for the leader.

    client --- bridge (a witness listens) --- web1 (leads), web2, web3
"""

import signal

from harness import Cluster, check, main
from watched import Watched


def test():
    with Cluster(nodes=3) as cluster:
        cluster.start_all()
        cluster.wait_active([1, 2, 3])
        for stalled in (3, 1):
            others = [node for node in cluster.ids if node != stalled]
            with Watched(cluster) as watch:
                cluster.agents[stalled].send_signal(signal.SIGSTOP)
                try:
                    cluster.wait_active(others)
                    cluster.wait_until(lambda: watch.moved() > 30, "its clients are answered by the others")
                finally:
                    cluster.agents[stalled].send_signal(signal.SIGCONT)
                cluster.wait_active([1, 2, 3])
            check("fenced" in cluster.log(stalled), f"web{stalled} does not say that it was fenced")
            watch.check_one_owner(changes=2)
            watch.check_answered(lambda owner: owner != f"web{stalled}")


main(test)
