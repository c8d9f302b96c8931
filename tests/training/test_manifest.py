"""A manifest detects any change of the files, of their list, of the checkpoint's name, and of the manifest."""

import pytest

from seq2slim.training.manifest import MANIFEST, verified, write_manifest

ITEMS = {"params": {"kernel": ["float32", [2]]}, "position": {"step": ["int64", []]}}
FILES = {"items/params/data": b"abcdefgh", "items/position/data": b"12", "items/index": b""}


@pytest.fixture
def folder(tmp_path):
    for name, data in FILES.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_bytes(data)
    write_manifest(tmp_path, 30, True, ITEMS)
    return tmp_path


def test_a_complete_checkpoint_passes(folder):
    manifest = verified(folder, 30, True, set(ITEMS))
    assert manifest["items"] == ITEMS
    assert {name: file["size"] for name, file in manifest["files"].items()} == {n: len(d) for n, d in FILES.items()}


def test_any_flipped_byte_of_the_manifest_is_found(folder):
    path = folder / MANIFEST
    intact = path.read_bytes()
    for place in range(0, len(intact), 3):
        path.write_bytes(intact[:place] + bytes([intact[place] ^ 1 << place % 8]) + intact[place + 1 :])
        with pytest.raises((ValueError, KeyError, TypeError)):
            verified(folder, 30, True, set(ITEMS))


@pytest.mark.parametrize("name", [name for name, data in FILES.items() if data])
def test_any_flipped_bit_of_a_file_is_found(folder, name):
    path = folder / name
    intact = path.read_bytes()
    for bit in range(8 * len(intact)):
        data = bytearray(intact)
        data[bit // 8] ^= 1 << bit % 8
        path.write_bytes(data)
        with pytest.raises(ValueError, match=f"{name} fails its checksum"):
            verified(folder, 30, True, set(ITEMS))


def test_an_item_that_is_not_asked_for_may_be_damaged(folder):
    (folder / "items/position/data").write_bytes(b"3")
    verified(folder, 30, True, {"params"})
    with pytest.raises(ValueError, match="has 1 bytes instead of 2"):
        verified(folder, 30, True, {"position"})


def test_the_list_of_files_and_the_name_count_too(folder):
    for step, best in ((31, True), (30, False)):
        with pytest.raises(ValueError, match="checksum"):
            verified(folder, step, best, set())
    (folder / "items/extra").touch()
    with pytest.raises(ValueError, match="items/extra is not in the manifest"):
        verified(folder, 30, True, set())
    (folder / "items/extra").unlink()
    (folder / "items/index").unlink()
    with pytest.raises(ValueError, match="items/index is missing"):
        verified(folder, 30, True, set())
