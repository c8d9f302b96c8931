"""The records of a TensorFlow Datasets set: missing splits, damaged files and other formats are user errors."""

import contextlib
import json
import tempfile

import pytest

from seq2slim.data.corpora.tfds_source import local_info
from tests.support.tfds_sets import TEXTS, load


def test_builders_leave_nothing_in_the_temporary_folder(tmp_path, monkeypatch):
    from seq2slim.data.corpora.builders import Strings

    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    left = []
    for inside in (contextlib.nullcontext, local_info, contextlib.nullcontext):
        with inside():
            Strings(config="en-de", data_dir=tmp_path / "data", file_format="array_record")
        left.append(len(list(tmp_path.glob("*tfds"))))
    assert left == [1, 1, 2]  # TFDS leaves one per builder, but for ours; afterwards it is as before


def test_missing_split(make, data_dir, tmp_path):
    make(data_dir, "halved", texts={"train": TEXTS["train"], "dev": TEXTS["test"]})
    with pytest.raises(ValueError, match=r"'tfds:halved' has no split 'validation' \(it has train, dev\)"):
        load(tmp_path, "tfds:halved")


def test_damaged_records_are_said(make, data_dir, tmp_path):
    (records,) = make(data_dir, "tiny_set").glob("*-train.array_record*")
    whole = records.read_bytes()
    records.write_bytes(bytes(byte ^ 0xFF for byte in whole[:2000]) + whole[2000:])
    with pytest.raises(OSError, match=r"'tfds:tiny_set' cannot be read from .*remove that folder"):
        load(tmp_path, "tfds:tiny_set")


def test_other_files_than_array_record(make, data_dir, tmp_path):
    info = make(data_dir, "tiny_set") / "dataset_info.json"
    info.write_text(json.dumps(json.loads(info.read_text()) | {"fileFormat": "tfrecord"}))
    with pytest.raises(OSError, match=r"'tfds:tiny_set' is in .* as tfrecord files, and array_record files are"):
        load(tmp_path, "tfds:tiny_set")
