# SPDX-License-Identifier: Apache-2.0
"""The BPF programs and the headers that are compiled into them have one licence, and every place says the same one.

The kernel is told "Dual BSD/GPL" (SEC("license")), the files' heads say it as SPDX does, LICENSE and debian/copyright
name the files and hold the BSD text. Every other source is under the Apache licence.
"""

import glob
import os
import re
import sys

SOURCE = os.environ.get("NLBD_SOURCE_DIR", os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__)))))
os.chdir(SOURCE)
KERNEL, OTHERS = "GPL-2.0-only OR BSD-2-Clause", "Apache-2.0"
failures = []


def check(condition, message):
    if not condition:
        failures.append(message)


def read(path):
    with open(path) as file:
        return file.read()


def compiled(source, found):
    """What a BPF program is made of: itself and all that it includes of this tree."""
    found.add(source)
    for name in re.findall(r'^\s*#\s*include "(.*)"', read(source), re.MULTILINE):
        if name not in found:
            compiled(name, found)
    return found


def words(text):
    return re.sub(r"[\s.]+", " ", text)


programs = glob.glob("**/*.bpf.c", recursive=True)
programs = [path for path in programs if not path.startswith("build")]
check("filter" in {path.split("/")[0] for path in programs}, "no BPF program found in filter/")
inside = set().union(*(compiled(path, set()) for path in programs))
sources = [path for folder in ("agent", "filter", "heartbeat", "test")
           for path in glob.glob(f"{folder}/**/*.[ch]*", recursive=True) if re.search(r"\.(c|h|cpp|hpp)$", path)]
for path in sorted(inside | set(sources)):
    said = re.match(r"(?:/\*|//) SPDX-License-Identifier: (.*)", read(path))
    wanted = KERNEL if path in inside else OTHERS
    check(said and said[1] == wanted, f"{path}:1: the licence is {said and said[1]}, not {wanted}")
for path in programs:
    told = [found for part in compiled(path, set()) for found in re.findall(r'SEC\("license"\) = "(.*)";', read(part))]
    check(told == ["Dual BSD/GPL"], f"{path}: tells the kernel the licence {told}")

copyright, licence = read("packaging/debian/copyright"), read("LICENSE")
stanza = re.search(rf"^Files: (.*(?:\n .*)*)\nCopyright: .*\nLicense: GPL-2 or BSD-2-clause$", copyright, re.MULTILINE)
listed = {path for pattern in (stanza[1].split() if stanza else []) for path in glob.glob(pattern)}
check(listed == inside, f"packaging/debian/copyright: GPL-2 or BSD-2-clause, too many or too few: "
                        f"{', '.join(sorted(listed ^ inside))}")
bsd = words(re.search(r"^   Redistribution and use .*POSSIBILITY OF SUCH DAMAGE\.$", licence,
                      re.MULTILINE | re.DOTALL)[0])
check(bsd in words(copyright), "packaging/debian/copyright: the BSD text is not that of LICENSE")
for folder in sorted({os.path.dirname(path) for path in inside}):
    check(f"{folder}/" in licence, f"LICENSE: does not name {folder}/, where there are BPF programs")
check(KERNEL in licence, f"LICENSE: does not say {KERNEL}")
check(KERNEL in read("README.md"), f"README.md: does not say {KERNEL}")
check(f"License:        Apache-2.0 AND ({KERNEL})\n" in read("packaging/rpm/nlbd.spec"), "packaging/rpm/nlbd.spec: License")

print("\n".join(failures) or f"{len(inside)} files: {KERNEL}")
sys.exit(1 if failures else 0)
