# SPDX-License-Identifier: Apache-2.0
"""The wall clock of every node goes an hour back, and a day on, while clients ask: nothing happens.

    client --- bridge --- web1, web2, web3 (the clock of each is libfaketime's)

The agents keep time by the boot clock alone. The machine's own clock is not touched.
"""

import datetime
import glob

from harness import Cluster, check, main, skip
from watched import Watched


def library():
    found = glob.glob("/usr/lib/*/faketime/libfaketimeMT.so.1")
    return found[0] if found else skip("libfaketime is not installed")


def set_clocks(cluster, offset):
    with open(f"{cluster.directory}/offset", "w") as file:
        file.write(offset + "\n")


def since(cluster, node):
    """Since when web1 is what it is, by this node's wall clock of now."""
    return datetime.datetime.fromisoformat(cluster.status(node)["members"][0]["since"].removesuffix("Z"))


def check_clocks(cluster, at_first, hours):
    for node in cluster.ids:
        told = since(cluster, node) - at_first[node]
        check(abs(told - datetime.timedelta(hours=hours)) < datetime.timedelta(minutes=10),
              f"the clock of web{node} is to be {hours} h off, and is {told}")


def test():
    faked = {"LD_PRELOAD": library(), "FAKETIME_DONT_FAKE_MONOTONIC": "1", "FAKETIME_NO_CACHE": "1"}
    with Cluster(nodes=3) as cluster:
        faked["FAKETIME_TIMESTAMP_FILE"] = f"{cluster.directory}/offset"
        set_clocks(cluster, "+0")
        for node in cluster.ids:
            cluster.start(node, environment=faked)
        cluster.wait_active([1, 2, 3])
        at_first = {node: since(cluster, node) for node in cluster.ids}
        with Watched(cluster) as watch:
            for offset, hours in (("-1h", -1), ("+1d", 24), ("+0", 0)):
                set_clocks(cluster, offset)
                watch.talking.goes_on(cluster, 5)
                check_clocks(cluster, at_first, hours)
        watch.check_one_owner(changes=0)
        watch.check_served()


main(test)
