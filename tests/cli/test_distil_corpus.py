"""`distil-corpus` writes pairs, and --verify finds changed ones."""

from tests.support.smoke import last_line


def test_distil_corpus_writes_pairs_that_can_be_verified(toy):
    source = toy.runs / "cache" / "reverse" / "test.letters"
    words = ["distil-corpus", "--teacher", toy.run_dirs["baseline"], "--corpus", source, "-o", "distilled", "--beam", 2]
    assert last_line(toy.type(*words)) == "distilled"
    folder = toy.runs.parent / "distilled"
    pairs = {side: (folder / f"pairs.{side}").read_text().splitlines() for side in ("source", "target", "lines")}
    assert len(set(map(len, pairs.values()))) == 1
    corpus = source.read_text().splitlines()
    assert pairs["source"] == [corpus[int(line) - 1] for line in pairs["lines"]]
    toy.type(*words, "--verify")
    changed = (folder / "target.txt").read_text().splitlines()
    changed[0], changed[1] = changed[1], changed[0]
    (folder / "target.txt").write_text("".join(f"{line}\n" for line in changed))
    assert toy.type(*words, "--verify", code=2).stderr
