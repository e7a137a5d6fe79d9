# SPDX-License-Identifier: Apache-2.0
"""`nlbctl events`: which nodes came, which went and why, newest first, and how long each view took until it was served.

    client --- bridge --- web1, web2, web3
"""

import json
import re

from harness import Cluster, check, main


def views(cluster, node):
    """What the events of a node say of its views, the newest first."""
    events = json.loads(cluster.nlbctl("events", "--json", node=node).stdout)
    check([event["ago_ms"] for event in events] == sorted(event["ago_ms"] for event in events), "not newest first")
    return [event for event in events if event["kind"] == "view"]


def wait_for(cluster, node, pattern):
    """Until the newest view of the node is served, and says so."""
    def newest():
        event = views(cluster, node)[0]
        return re.search(pattern, event["text"]) and event["took_ms"] is not None and event

    event = cluster.wait_until(newest, f"web{node} tells of a view: {pattern}")
    print(f"web{node}: {event['text']}, served after {event['took_ms']} ms")
    check(0 <= event["took_ms"] < event["ago_ms"] + event["took_ms"] + 1, f"no duration: {event}")


def test():
    with Cluster(nodes=3) as cluster:
        cluster.start_all()
        cluster.wait_active([1, 2, 3])
        cluster.nlbctl("stop", node=2)
        for node in (1, 3):
            wait_for(cluster, node, r"web2 removed \(stopped\)")
        cluster.nlbctl("start", node=2)
        for node in (1, 3):
            wait_for(cluster, node, r"web2 added")
        cluster.crash(3)
        for node in (1, 2):
            wait_for(cluster, node, r"web3 removed \(not heard for \d+ ms\)")
        cluster.revive(3)
        wait_for(cluster, 1, "web3 added")
        cluster.wait_active([1, 2, 3])
        check(cluster.terminate(3) == 0, "the agent did not end well")
        wait_for(cluster, 1, r"web3 removed \(left the cluster\)")

        text = cluster.nlbctl("events", node=1).stdout
        check(re.search(r"\d\d:\d\d:\d\d +\d+\.\d ms  view \d+\.\d+: web3 removed \(left the cluster\) \(leader=web1\)\n",
                        text), f"events for people: {text}")


main(test)
