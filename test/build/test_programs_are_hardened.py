# SPDX-License-Identifier: Apache-2.0
"""nlbd and nlbctl are hardened, built by us or packed by Debian: what a root's program that reads the network has to be.

Position-independent, its tables read-only once it runs (full RELRO), its stack not executable, stacks protected, the C
library's checked functions in use, and on x86 landing pads for indirect calls (CET). With arguments: these programs.
"""

import os
import re
import subprocess
import sys

BUILD = os.environ.get("NLBD_BUILD_DIR", "build/release")
ENDBR64, PACIASP = bytes.fromhex("f30f1efa"), bytes.fromhex("3f2303d5")
failures = []


def readelf(option, program):
    return subprocess.run(["readelf", "--wide", option, program], capture_output=True, text=True, check=True,
                          timeout=60).stdout


def cached(name):
    with open(f"{BUILD}/CMakeCache.txt") as file:
        return re.search(rf"^{name}:\w+=(.*)$", file.read(), re.MULTILINE)[1].upper() in ("ON", "TRUE", "1")


def look_at(program):
    def check(condition, message):
        if not condition:
            failures.append(f"{program}: {message}")

    header, segments = readelf("--file-header", program), readelf("--program-headers", program)
    dynamic, symbols = readelf("--dynamic", program), readelf("--dyn-syms", program)
    check(re.search(r"Type:\s+DYN", header), "not position-independent")
    check("GNU_RELRO" in segments, "no RELRO")
    check(re.search(r"\bBIND_NOW\b|FLAGS_1.*\bNOW\b", dynamic), "symbols are bound late: RELRO is not full")
    check(re.search(r"GNU_STACK.* RW +0x", segments), "the stack is executable")
    check("__stack_chk_fail" in symbols, "no stack protector")
    check(re.search(r"__\w+_chk\b(?<!__stack_chk)", symbols), "no function of the C library is checked (FORTIFY)")
    with open(program, "rb") as file:
        code = file.read()
    # One at the head of nearly each function. The ELF note that switches them on needs a C library that has them, too.
    if "X86-64" in header:
        check(code.count(ENDBR64) > 100, "no control-flow protection (CET)")
    if "AArch64" in header:
        check(code.count(PACIASP) > 100, "no branch protection")


programs = sys.argv[1:]
if not programs:
    if cached("NLBD_SANITIZE") or not cached("NLBD_HARDEN"):
        print("SKIPPED: not a hardened build")
        sys.exit(77)
    programs = [f"{BUILD}/nlbd", f"{BUILD}/nlbctl"]
for path in programs:
    look_at(path)
print("\n".join(failures) or f"hardened: {', '.join(programs)}")
sys.exit(1 if failures else 0)
