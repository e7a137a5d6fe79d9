# SPDX-License-Identifier: Apache-2.0
"""A guide of etc/examples/ as it is read: its README's commands, found by the words that introduce them, and run.

    guide = Guide("nginx")                         # ends as skipped when a package that it installs is missing
    with guide.machines(nodes=2) as cluster:
        guide.follow(cluster, [1, 2], "On both")   # the indented lines after the paragraph that begins so
        print(guide.ask(cluster, "From a client")) # likewise, on the clients' machine

Nothing in the guide's files is replaced: addresses, interface and host names are those of the test network.
"""

import os
import re
import subprocess

import machines
from harness import SOURCE, check, skip


class Guide:
    def __init__(self, name):
        self.directory = os.path.join(SOURCE, "etc/examples", name)
        with open(f"{self.directory}/README.md") as file:
            self._paragraphs = re.split(r"\n\s*\n", file.read())
        self._need_packages()

    def _need_packages(self):
        installed = re.findall(r"^    apt install (.*)$", "\n".join(self._paragraphs), re.MULTILINE)
        for package in sorted({name for line in installed for name in line.split()}):
            done = subprocess.run(["dpkg-query", "-W", "-f", "${db:Status-Status}", package], text=True,
                                  capture_output=True)
            if done.stdout != "installed":
                skip(f"the Debian package {package} is not installed (packaging/install-dependencies guides)")

    def machines(self, nodes, config="cluster.toml", **options):
        return machines.Machines(nodes, f"{self.directory}/{config}", **options)

    def commands(self, beginning):
        """The script that follows the one paragraph that begins so."""
        found = [number for number, text in enumerate(self._paragraphs) if text.startswith(beginning)]
        check(len(found) == 1, f"{len(found)} paragraphs of the guide begin with \"{beginning}\"")
        lines = self._paragraphs[found[0] + 1].splitlines()
        check(lines and all(line.startswith("    ") for line in lines), f"no commands follow \"{beginning}\"")
        return "\n".join(line[4:] for line in lines)

    def follow(self, cluster, who, beginning):
        """Runs them in the guide's directory on each of these machines in turn; the output of each."""
        script = self.commands(beginning)
        return {one: cluster.machine[one].sh(script, self.directory) for one in who}

    def ask(self, cluster, beginning, directory="/"):
        return cluster.client_sh(f"cd {directory}\n{self.commands(beginning)}")
