"""Lines end at a newline alone; bytes that are no text are replaced, and no line is lost."""

import io
import tempfile

from hypothesis import given, settings
from hypothesis import strategies as st

from seq2slim.data.corpora import lines
from seq2slim.data.corpora.lines import forgiving_lines, read_lines, write_lines


def read(data: bytes):
    told = []
    return list(forgiving_lines(io.BytesIO(data), lambda *what: told.append(what))), told


@settings(deadline=None, max_examples=50)
@given(st.lists(st.text(st.characters(exclude_characters="\n", codec="utf-8"))))
def test_valid_text_is_read_as_by_read_lines(sentences):
    data = "".join(f"{sentence}\n" for sentence in sentences).encode()
    with tempfile.NamedTemporaryFile() as file:
        file.write(data)
        file.flush()
        assert read(data) == (list(read_lines(file.name)), [])


@settings(deadline=None, max_examples=50)
@given(st.binary())
def test_whatever_the_bytes_there_are_as_many_lines(data):
    found, told = read(data)
    assert len(found) == data.count(b"\n") + (not data.endswith(b"\n") and data != b"")
    wrong = {number for number, _ in told}
    for number, (line, raw) in enumerate(zip(found, data.split(b"\n")), start=1):
        line.encode()  # it is text
        try:
            raw.decode()
        except UnicodeDecodeError:
            assert number in wrong
            assert "\ufffd" in line
        else:
            assert number not in wrong


def test_a_line_longer_than_the_bound_is_cut_between_characters(monkeypatch):
    monkeypatch.setattr(lines, "MOST_BYTES", 8)
    long = "äöüäöü"  # 12 bytes
    found, told = read(f"x{long}{long}\nabcdefg\nabcdefgh\nend".encode())
    assert found == ["xäöü", "abcdefg", "abcdefgh", "end"]
    assert [number for number, _ in told] == [1, 3]


def test_only_newline_ends_a_line(tmp_path):
    path = tmp_path / "text"
    path.write_bytes("\ufeffa\u2028b\r\nc\x0bd\x0c\re\n\nlast\x85".encode())
    assert list(read_lines(path)) == ["a\u2028b", "c\x0bd\x0c\re", "", "last\x85"]


@given(st.lists(st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\n\r\ufeff"))))
def test_lines_round_trip(tmp_path_factory, lines):
    path = tmp_path_factory.mktemp("lines") / "text"
    write_lines(path, lines)
    assert list(read_lines(path)) == lines
