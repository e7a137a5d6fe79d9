# SPDX-License-Identifier: Apache-2.0
"""The wall clock of every node goes an hour back, and a day on, while clients ask: nothing happens.

    client --- bridge --- web1, web2, web3 (the clock of each is libfaketime's)

The agents keep time by the boot clock alone. The machine's own clock is not touched.
"""

import glob

from harness import Cluster, main, skip
from watched import Watched


def library():
    found = glob.glob("/usr/lib/*/faketime/libfaketimeMT.so.1")
    return found[0] if found else skip("libfaketime is not installed")


def set_clocks(cluster, offset):
    with open(f"{cluster.directory}/offset", "w") as file:
        file.write(offset + "\n")


def test():
    faked = {"LD_PRELOAD": library(), "FAKETIME_DONT_FAKE_MONOTONIC": "1", "FAKETIME_NO_CACHE": "1"}
    with Cluster(nodes=3) as cluster:
        faked["FAKETIME_TIMESTAMP_FILE"] = f"{cluster.directory}/offset"
        set_clocks(cluster, "+0")
        for node in cluster.ids:
            cluster.start(node, environment=faked)
        cluster.wait_active([1, 2, 3])
        with Watched(cluster) as watch:
            for offset in ("-1h", "+1d", "+0"):
                set_clocks(cluster, offset)
                watch.talking.goes_on(cluster, 5)
        watch.check_one_owner(changes=0)
        watch.check_served()


main(test)
