# SPDX-License-Identifier: Apache-2.0
"""The parts that need the filter and the kernel in one process are a program (main.cpp)."""

import json
import os
import subprocess

import netns
from harness import BUILD, check

_PROGRAM = os.path.join(BUILD, "test/nlb_filter_bench")


def run(part, repeats):
    done = subprocess.run([_PROGRAM, part, str(repeats)], capture_output=True, text=True, timeout=1800)
    check(done.returncode == 0, f"{part}: {done.stderr.strip()}")
    return json.loads(done.stdout)


class Flood:
    """SYNs to a port of the cluster, sent into an interface of a namespace for so many seconds."""

    def __init__(self, namespace, interface, port, per_second, seconds, sources):
        self._process = subprocess.Popen(
            netns.command(namespace, [_PROGRAM, "flood", interface, port, per_second, seconds]), text=True,
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, preexec_fn=netns.die_with_parent)
        self._process.stdin.write("\n".join(sources))
        self._process.stdin.close()
        self._process.stdin = None
        self._seconds = seconds

    def sent(self):
        """Waits for the end of it; how many they were."""
        sent, trouble = self._process.communicate(timeout=self._seconds + 60)
        check(self._process.returncode == 0, f"flood: {trouble.strip()}")
        return int(sent)
