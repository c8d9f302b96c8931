"""A benchmarked process gets huge pages when asked for, and no setting of the caller."""

import sys

from experiments.bench import processes as bench_process
from tests.support.fake_peers import write_peers


def test_a_process_gets_its_huge_pages_and_no_foreign_kernels(tmp_path, monkeypatch):
    monkeypatch.setenv("GLIBC_TUNABLES", "glibc.malloc.hugetlb=2")
    monkeypatch.setenv("OPENBLAS_CORETYPE", "Haswell")
    command = [sys.executable, str(write_peers(tmp_path) / "torch_beam.py"), "2", "500"]
    plain, huge = (bench_process.printed(command, huge_pages) for huge_pages in (False, True))
    assert plain["arguments"] == ["2", "500"]
    assert plain["environment"] == {"GLIBC_TUNABLES": None, "OPENBLAS_CORETYPE": None}
    assert huge["environment"] == {"GLIBC_TUNABLES": "glibc.malloc.hugetlb=1", "OPENBLAS_CORETYPE": None}
