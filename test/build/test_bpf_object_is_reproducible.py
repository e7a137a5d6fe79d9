# SPDX-License-Identifier: Apache-2.0
"""The BPF object follows from the source alone: built in two folders of different names it has the same bytes.

So a distributor can compare it with ours. BTF stays in it, with the source lines that bpftool and the verifier show; of
DWARF nothing does, and no path of the machine that built it.
"""

import os
import shutil
import subprocess
import sys
import tempfile

SOURCE = os.environ.get("NLBD_SOURCE_DIR", os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__)))))


def build(tree, folder):
    shutil.copytree(f"{SOURCE}/filter", f"{tree}/filter")
    for name in ("CMakeLists.txt", "agent", "heartbeat", "packaging", "etc"):
        os.symlink(f"{SOURCE}/{name}", f"{tree}/{name}")
    for command in (["cmake", "-G", "Ninja", "-S", tree, "-B", folder, "-DBUILD_TESTING=OFF"],
                    ["cmake", "--build", folder, "--target", "nlbd.bpf.o"]):
        done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, timeout=280)
        if done.returncode != 0:
            sys.exit(f"{' '.join(command)}: exit {done.returncode}\n{done.stdout}")
    with open(f"{folder}/nlbd.bpf.o", "rb") as file:
        return file.read()


with tempfile.TemporaryDirectory(prefix="nlbd-object.") as place:
    first = build(f"{place}/a", f"{place}/a/build")
    second = build(f"{place}/of/another/name", f"{place}/b")
    sections = subprocess.run(["readelf", "--wide", "--sections", f"{place}/b/nlbd.bpf.o"], capture_output=True,
                              text=True, check=True, timeout=60).stdout
failures = [what for what, wrong in {
    "two builds differ": first != second,
    "a path of the machine is in it": place.encode() in first + second,
    "debug sections are in it": ".debug" in sections,
    "BTF is not in it": ".BTF.ext" not in sections,
    "BTF shows no source lines": b"SEC(" not in first and b"nlb_load32(" not in first}.items() if wrong]
print("\n".join(failures) or f"{len(first)} bytes, twice")
sys.exit(1 if failures else 0)
