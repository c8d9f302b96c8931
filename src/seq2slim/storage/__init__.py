"""Sparse model files: one file per model, small, safe to load from anyone; equal models give equal bytes.

    storage.write("model.slim", params, masks, codec="int8", metadata={"model.json": b"..."})
    params, masks, metadata = storage.read("model.slim", limit_bytes=1 << 30)

The format is specified in docs/file_format.md.
"""

from seq2slim.storage.codecs import CODECS
from seq2slim.storage.container import ModelFileError
from seq2slim.storage.contents import LeafRow, contents
from seq2slim.storage.sparse_file import LIMIT_BYTES, ModelFile, SparseModel, read, write

__all__ = [
    "CODECS",
    "LIMIT_BYTES",
    "LeafRow",
    "ModelFile",
    "ModelFileError",
    "SparseModel",
    "contents",
    "read",
    "write",
]
