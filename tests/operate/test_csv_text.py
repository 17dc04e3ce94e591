import csv
import io

from amberflo_workflows.operate.csv_text import render_csv


def test_rows_are_read_back_as_they_are() -> None:
    rows = [{"a": 'quote " comma, line\nend', "b": 1, "c": None, "more": "not a column"}, {"a": "é", "b": -2.5}]
    text = "".join(render_csv(["a", "b", "c"], rows))
    assert list(csv.DictReader(io.StringIO(text, newline=""))) == [
        {"a": 'quote " comma, line\nend', "b": "1", "c": ""},
        {"a": "é", "b": "-2.5", "c": ""},
    ]


def test_text_is_no_formula_of_a_spreadsheet() -> None:
    lines = list(render_csv(["a"], [{"a": text} for text in ("=1+1", "+1", "-1", "@x", "\tx", "a=1")]))
    assert lines == ["a\n", "'=1+1\n", "'+1\n", "'-1\n", "'@x\n", "'\tx\n", "a=1\n"]
