#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
r"""A corpus as text, an input a line in the order of the names, so that a diff shows the case:

    NAME "text, in which \n, \\ and \xff stand for what cannot be read"
    NAME 0a0bff, in hexadecimal digits where that is shorter

    test/fuzz/corpus.py unpack FILE DIRECTORY      a file an input, as libFuzzer wants it
    test/fuzz/corpus.py pack DIRECTORY FILE        inputs that FILE holds already keep their names

replay.cpp reads it as well.
"""

import os
import re
import sys

_SHORT = 12  # of the 40 digits that libFuzzer calls an input by
_ESCAPES = {ord("\n"): "\\n", ord("\\"): "\\\\"}


def to_text(data):
    text = "".join(_ESCAPES.get(byte) or (chr(byte) if 32 <= byte < 127 else f"\\x{byte:02x}") for byte in data)
    return f'"{text}"' if len(text) <= 2 * len(data) or not data else data.hex()


def from_text(text):
    if not text.startswith('"'):
        return bytes.fromhex(text)
    plain = {"n": b"\n", "\\": b"\\"}
    return b"".join(plain.get(mark) or bytes.fromhex(mark[1:]) if mark else other.encode()
                    for mark, other in re.findall(r'\\(x[0-9a-f]{2}|.)|([^\\]+)', text[1:-1]))


def read(path):
    """name -> input"""
    with open(path) as file:
        return dict((line.split(" ", 1)[0], from_text(line.rstrip("\n").split(" ", 1)[1])) for line in file)


def write(path, inputs):
    with open(path, "w") as file:
        file.writelines(f"{name} {to_text(data)}\n" for name, data in sorted(inputs.items()))


def unpack(path, directory):
    os.makedirs(directory, exist_ok=True)
    for name, data in read(path).items():
        with open(os.path.join(directory, name), "wb") as file:
            file.write(data)


def pack(directory, path):
    known = {data: name for name, data in read(path).items()} if os.path.exists(path) else {}
    inputs = {}
    for name in os.listdir(directory):
        with open(os.path.join(directory, name), "rb") as file:
            data = file.read()
        inputs[known.get(data) or (name[:_SHORT] if re.fullmatch("[0-9a-f]{40}", name) else name)] = data
    write(path, inputs)


if __name__ == "__main__":
    if len(sys.argv) != 4 or sys.argv[1] not in ("pack", "unpack"):
        sys.exit(__doc__)
    {"pack": pack, "unpack": unpack}[sys.argv[1]](*sys.argv[2:])
