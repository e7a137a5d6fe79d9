# SPDX-License-Identifier: Apache-2.0
"""The parts that need the filter and the kernel in one process are a program (main.cpp)."""

import json
import os
import subprocess

from harness import BUILD, check

_PROGRAM = os.path.join(BUILD, "test/nlb_filter_bench")


def run(part, repeats):
    done = subprocess.run([_PROGRAM, part, str(repeats)], capture_output=True, text=True, timeout=1800)
    check(done.returncode == 0, f"{part}: {done.stderr.strip()}")
    return json.loads(done.stdout)
