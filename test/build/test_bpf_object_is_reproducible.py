# SPDX-License-Identifier: Apache-2.0
"""The BPF objects follow from the source alone: built in two folders of different names they have the same bytes.

So a distributor can compare them with ours. BTF stays in them, with the source lines that bpftool and the verifier show; of
DWARF nothing does, and no path of the machine that built it.
"""

import os
import shutil
import subprocess
import sys
import tempfile

SOURCE = os.environ.get("NLBD_SOURCE_DIR", os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__)))))

OBJECTS = ("nlbd.bpf.o", "forward.bpf.o", "tc.bpf.o")


def build(tree, folder):
    shutil.copytree(f"{SOURCE}/filter", f"{tree}/filter")
    for name in ("CMakeLists.txt", "agent", "heartbeat", "packaging", "etc"):
        os.symlink(f"{SOURCE}/{name}", f"{tree}/{name}")
    for command in (["cmake", "-G", "Ninja", "-S", tree, "-B", folder, "-DBUILD_TESTING=OFF"],
                    ["cmake", "--build", folder, "--target", *OBJECTS]):
        done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, timeout=280)
        if done.returncode != 0:
            sys.exit(f"{' '.join(command)}: exit {done.returncode}\n{done.stdout}")
    return [open(f"{folder}/{name}", "rb").read() for name in OBJECTS]


with tempfile.TemporaryDirectory(prefix="nlbd-object.") as place:
    first = build(f"{place}/a", f"{place}/a/build")
    second = build(f"{place}/of/another/name", f"{place}/b")
    sections = [subprocess.run(["readelf", "--wide", "--sections", f"{place}/b/{name}"], capture_output=True,
                               text=True, check=True, timeout=60).stdout for name in OBJECTS]
failures = [what for what, wrong in {
    "two builds differ": first != second,
    "a path of the machine is in it": any(place.encode() in one for one in first + second),
    "debug sections are in it": any(".debug" in one for one in sections),
    "BTF is not in it": any(".BTF.ext" not in one for one in sections),
    "BTF shows no source lines": any(b"SEC(" not in one and b"nlb_load32(" not in one for one in first)}.items() if wrong]
print("\n".join(failures) or f"{[len(one) for one in first]} bytes, twice")
sys.exit(1 if failures else 0)
