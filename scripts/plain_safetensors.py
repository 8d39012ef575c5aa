"""Reads and writes safetensors with only the standard library. A tensor is a tuple (dtype, shape, bytes)."""

import json
from pathlib import Path


def read(path):
    content = memoryview(Path(path).read_bytes())
    start = 8 + int.from_bytes(content[:8], "little")
    header = json.loads(bytes(content[8:start]))
    header.pop("__metadata__", None)
    spans = {name: [start + offset for offset in entry["data_offsets"]] for name, entry in header.items()}
    return {name: (entry["dtype"], entry["shape"], content[slice(*spans[name])]) for name, entry in header.items()}


def write(path, tensors):
    header, end = {"__metadata__": {"format": "pt"}}, 0
    for name, (dtype, shape, content) in tensors.items():
        start, end = end, end + len(content)
        header[name] = dict(dtype=dtype, shape=shape, data_offsets=[start, end])
    text = json.dumps(header, separators=(",", ":")).encode()
    # The data starts at a multiple of eight bytes.
    text += b" " * (-len(text) % 8)
    with open(path, "wb") as file:
        file.write(len(text).to_bytes(8, "little") + text)
        for _, _, content in tensors.values():
            file.write(content)
