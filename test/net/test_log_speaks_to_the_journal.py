# SPDX-License-Identifier: Apache-2.0
"""To the journal, lines carry their priority and no time; --log-level says which of them are written at all.

    client --- bridge --- web1
"""

import os
import re

from harness import Cluster, check, main


def run(cluster, name, *arguments):
    """What an agent says from its start to its end, to a file that is the journal's stream as far as it can see."""
    path = f"{cluster.directory}/{name}"
    with open(path, "w") as file:
        about = os.fstat(file.fileno())
    cluster.start(1, log_file=path, environment={"JOURNAL_STREAM": f"{about.st_dev}:{about.st_ino}"},
                  arguments=arguments)
    cluster.wait_active([1])
    cluster.terminate(1)
    with open(path) as file:
        return file.read().splitlines()


def test():
    with Cluster(nodes=1, servers=False) as cluster:  # no server listens: a warning for each rule
        said = run(cluster, "all")
        check(all(re.match(r"<[346]>[a-z][a-z0-9. ]*: ", line) for line in said), said)
        check(any(line.startswith("<6>agent: started") for line in said), said)
        check(any(line.startswith("<4>") for line in said), said)
        said = run(cluster, "warnings", "--log-level", "warning")
        check(said and all(line.startswith(("<3>", "<4>")) for line in said), said)
        check(not run(cluster, "errors", "--log-level", "error"), "there was no error")


main(test)
