"""Model files taken apart, changed, and sealed again: what a stranger who knows the format can send."""

import hashlib
import json
from pathlib import Path

import numpy as np

from seq2slim import storage

PARAMS = {
    "encoder": {"kernel": np.arange(-12, 12, dtype=np.float32).reshape(4, 6), "bias": np.ones(6, np.float32)},
    "softmax": {"kernel": np.linspace(1, 2, 40, dtype=np.float32).reshape(5, 8)},
}
MASKS = {
    "encoder": {"kernel": np.abs(PARAMS["encoder"]["kernel"]) > 7, "bias": np.array(True)},
    "softmax": {"kernel": np.ones((5, 8), bool)},
}
PARAMS["encoder"]["kernel"] = np.where(MASKS["encoder"]["kernel"], PARAMS["encoder"]["kernel"], np.float32(0))
METADATA = {"model.json": b'{"layers": 1}', "words": b"one\ntwo"}


def small_file(folder: Path, codec: str = "float32") -> Path:
    """A whole model of 70 weights."""
    path = folder / f"{codec}.slim"
    storage.write(path, PARAMS, MASKS, codec, METADATA)
    return path


def parts(content: bytes) -> tuple[dict, bytes]:
    """(header, payload without seal); the JSON texts in the header are parsed too."""
    length = int.from_bytes(content[:8], "little")
    header = json.loads(content[8 : 8 + length])
    for name in ("leaves", "blobs"):
        header["__metadata__"][name] = json.loads(header["__metadata__"][name])
    return header, content[8 + length : -32]


def sealed(header: dict | bytes, payload: bytes) -> bytes:
    """A file with a right SHA-256 whatever is in it."""
    if isinstance(header, dict):
        header = json.loads(json.dumps(header))
        texts = header["__metadata__"]
        for name in ("leaves", "blobs"):
            if not isinstance(texts.get(name, ""), str):
                texts[name] = json.dumps(texts[name])
        header = json.dumps(header).encode()
    content = len(header).to_bytes(8, "little") + header + payload
    return content + hashlib.sha256(content).digest()
