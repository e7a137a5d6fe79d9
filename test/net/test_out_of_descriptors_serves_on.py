# SPDX-License-Identifier: Apache-2.0
"""An agent without a free file descriptor goes on serving; what needs one says so or waits, and works when there are.

    client --- bridge --- web1, web2 (no descriptors), web3
"""

import os
import resource

from harness import Cluster, check, main
from watched import Watched



def limit(agent, most):
    hard = resource.prlimit(agent.pid, resource.RLIMIT_NOFILE)[1]
    resource.prlimit(agent.pid, resource.RLIMIT_NOFILE, (most, hard))


def in_use(agent):
    return max(int(name) for name in os.listdir(f"/proc/{agent.pid}/fd")) + 1


def test():
    with Cluster(nodes=3) as cluster:
        cluster.start_all()
        cluster.wait_active([1, 2, 3])
        agent = cluster.agents[2]
        enough = resource.prlimit(agent.pid, resource.RLIMIT_NOFILE)[0]
        view = cluster.status(1)["view"]
        with Watched(cluster) as watch:
            for spare in (0, 1, 2, 3, 5, 8):
                limit(agent, in_use(agent) + spare)
                for _ in range(3):
                    cluster.nlbctl("status", node=2, check_exit=False)
                    cluster.nlbctl("stop", "web9", node=2, check_exit=False)
                    cluster.nlbctl("weight", "all", "default", node=2, check_exit=False)
                    cluster.nlbctl("weight", "web2", "default", node=1, check_exit=False)
                cluster.nlbctl("capture", "--seconds", "1", "--count", "1", node=2, check_exit=False)
                cluster.nlbctl("reload", node=2, check_exit=False)
                check(agent.poll() is None, f"the agent has ended with {spare} free descriptors: {cluster.log(2)}")
                limit(agent, enough)
                cluster.wait_until(lambda: cluster.status(2), "commands are answered again")
            done = cluster.nlbctl("weight", "all", "default", node=2)
            check(done.returncode == 0, done.stderr)
        watch.check_one_owner(changes=0)
        watch.check_served()
        check(cluster.status(1)["view"] == view, f"the view has changed: {cluster.log(2)}")


main(test)
