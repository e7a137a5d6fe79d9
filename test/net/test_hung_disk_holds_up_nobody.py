# SPDX-License-Identifier: Apache-2.0
"""A disk that hangs, with a health check's command or with the configuration, does not hold up the node, which serves on.

    client --- bridge --- web1 (its disk hangs), web2
"""

import os
import shutil

import services
from configuration import RULES
from harness import Cluster, check, main, skip
from hung_disk import HungDisk
from watched import Watched

CHECK = 'health = {{ type = "exec", command = ["{}/check"], interval_ms = 300, timeout_ms = 300, fall = 1 }}'


def commands_of(cluster):
    """The monitor runs them."""
    monitor = cluster.monitor_of(1)
    with open(f"/proc/{monitor}/task/{monitor}/children") as file:
        return file.read().split()


def hang_a_command(cluster, commands):
    """One that cannot be killed is given up, also by a reload that takes its rule away."""
    with HungDisk(commands) as disk:
        disk.wait_for_somebody()
        cluster.wait_until(lambda: "the last check does not end" in (services.shown(cluster, 1)["reason"] or ""),
                           "web1 says that the command hangs")
        cluster.write_config(cluster.config_file)
        cluster.write_config(f"{cluster.directory}/other/cluster.toml")
        cluster.nlbctl("reload", node=1)
        cluster.nlbctl("reload", node=2)
        cluster.wait_until(lambda: len(cluster.status(1)["rules"]) == 3, "the rule has gone")
        check(commands_of(cluster), "nothing hangs any more: this has tested nothing")
    cluster.wait_until(lambda: not commands_of(cluster), "the command has ended and left no zombie")


def hang_the_configuration(cluster):
    with HungDisk(f"{cluster.directory}/other"):
        for _ in range(2):
            done = cluster.nlbctl("reload", node=1, check_exit=False)
            check(done.returncode == 1 and "does not answer; nothing was changed" in done.stderr,
                  f"reload from a disk that hangs: exit {done.returncode}: {done.stderr}")
    cluster.nlbctl("reload", node=1)


def test():
    if not os.path.exists("/dev/fuse"):
        skip("no /dev/fuse")
    with Cluster(nodes=2) as cluster:
        commands = f"{cluster.directory}-commands"  # the cluster's own is closed to the command's user
        os.makedirs(commands)
        os.makedirs(f"{cluster.directory}/other")
        try:
            with open(os.open(f"{commands}/check", os.O_WRONLY | os.O_CREAT, 0o755), "w") as file:
                file.write("#!/bin/sh\n")
            rules = RULES + services.rule(CHECK.format(commands))
            cluster.write_config(cluster.config_file, rules=rules)
            cluster.start(1, config=cluster.write_config(f"{cluster.directory}/other/cluster.toml", rules=rules))
            cluster.start(2)
            cluster.wait_active([1, 2])
            services.wait_healthy(cluster, 1, True)
            with Watched(cluster) as watch:
                hang_a_command(cluster, commands)
                hang_the_configuration(cluster)
            watch.check_one_owner(changes=0)
            watch.check_served()
        finally:
            shutil.rmtree(commands)


main(test)
