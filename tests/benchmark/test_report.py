"""Reports on results documents: their statements, and that values of a document remain text."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Mapping
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest

from tests.benchmark.documents import SETTING, TEXT, cell, document, launches, usual, without_number
from tfexport.benchmark.report import all_measured, comma_separated, html, markdown, render, rows, summary, tables
from tfexport.errors import OutputError

KILLED = "its process was killed by SIGKILL (out of memory?)"
VOID = ("meta", "br", "link", "img", "input", "hr")


def lines_of(made: Mapping[str, Any]) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(comma_separated(made))))


def tables_of(text: str) -> list[list[list[str]]]:
    """Return the tables of a Markdown text as cells. An escaped pipe does not separate cells."""
    found: list[list[list[str]]] = [[]]
    for line in text.splitlines():
        if line.startswith("|"):
            found[-1].append([each.strip() for each in re.split(r"(?<!\\)\|", line)[1:-1]])
        elif found[-1]:
            found.append([])
    return [table for table in found if table]


class Page(HTMLParser):
    """Parses a page: checks that its elements are closed, and collects its texts and attributes."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.starts: list[tuple[str, dict[str, str | None]]] = []
        self.text = ""
        self.feed(text)
        self.close()
        assert self.open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.starts.append((tag, dict(attrs)))
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.starts.append((tag, dict(attrs)))

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag, f"</{tag}> closes another element"

    def handle_data(self, data: str) -> None:
        self.text += data

    def having(self, tag: str) -> list[dict[str, str | None]]:
        return [attributes for name, attributes in self.starts if name == tag]


class TestRows:
    def test_are_the_documents(self) -> None:
        made = usual()
        found = rows(made)
        cells = [each for group in made["groups"] for each in group["cells"]]
        assert [row.key for row in found] == [each["key"] for each in cells]
        for row, each in zip(found, cells, strict=True):
            assert (row.times is None) == (each["status"] != "measured")
            if row.times is not None:
                assert row.times.median_ms == each["summary"]["median_ms"]
                assert len(row.times.values_ms) == each["summary"]["samples"]

    def test_cold_costs_are_medians_and_memory_is_the_largest(self) -> None:
        made = document([cell("ort", SETTING, launches(10.0))])
        first = made["groups"][0]["cells"][0]
        first["cold"] = {"import_s": [1.0, 2.0, 9.0], "load_s": [1.0, 5.0, 0.0], "first_call_ms": [500.0, 500.0, 0.0]}
        first["memory"] = {"base_rss_mib": [1.0, 2.0], "peak_rss_mib": [30.0, 20.0], "gpu_mib": [None, 7.0]}
        (row,) = rows(made)
        assert row.cold is not None
        assert row.memory is not None
        assert (row.cold.import_s, row.cold.load_s, row.cold.first_call_ms, row.cold.total_s) == (2.0, 1.0, 500.0, 7.5)
        assert (row.memory.peak_rss_mib, row.memory.gpu_mib) == (30.0, 7.0)

    def test_facts_about_a_number_are_noted(self) -> None:
        def notes(**options: Any) -> tuple[str, ...]:
            (row,) = rows(document([cell("ort", SETTING, launches(100.0, **options))]))
            return row.notes

        assert notes() == ()
        assert notes(noise=0.5) == ("the median is not known to within 3 %",)
        assert notes(steady=False) == ("warming up ended before the times were steady (launches: 3 of 3)",)
        assert notes(others_cpus=0.31) == ("other processes kept 0.3 processors busy in the meantime",)
        assert notes(others_cpus=0.1) == ()

    def test_many_outliers_are_noted(self) -> None:
        made = document([cell("ort", SETTING, launches(10.0))])
        made["groups"][0]["cells"][0]["summary"]["outliers"] = 8
        assert "outliers" in rows(made)[0].notes[0]
        made["groups"][0]["cells"][0]["summary"]["outliers"] = 7
        assert rows(made)[0].notes == ()

    def test_the_headline_of_several_settings_is_their_geometric_mean(self) -> None:
        minilm, gpt2 = tables(usual())
        against_function, against_xla = minilm.headlines
        assert against_function.times_as_fast == pytest.approx(2.5**0.5, rel=0.02)
        assert against_function.verdicts == {"faster": 1, "no difference": 1}
        assert (against_function.verdict, against_xla.verdict) == ("mixed", "slower")
        assert [found.verdict for found in gpt2.headlines] == ["faster"]


class TestMarkdown:
    def test_every_line_of_a_table_has_its_columns(self) -> None:
        found = tables_of(markdown(usual()))
        assert len(found) == 2
        for table in found:
            assert {len(line) for line in table} == {len(table[0])}
            assert set(table[1]) == {"---"}

    def test_wins_losses_and_draws_are_shown_alike(self) -> None:
        (table, _) = tables_of(markdown(usual()))
        _, won, lost, _, even, failed = (line[table[0].index("`ort` against it")] for line in table[2:])
        assert re.fullmatch(r"2\.\d\d times as fast \[2\.\d\d, 2\.\d\d\]", won)
        assert re.fullmatch(r"\*\*slower\*\*: 0\.\d+ times as fast \[0\.\d+, 0\.\d+\]", lost)
        assert re.fullmatch(r"no difference: 1\.0\d \[.+\]", even)
        assert failed == ""

    def test_settings_are_groups_of_rows(self) -> None:
        (minilm, gpt2) = tables_of(markdown(usual()))
        assert [line[0] for line in minilm[2:]] == ["1x128, 2 threads, host", "", "", "8x128, 2 threads, host", "", ""]
        assert gpt2[2][0] == "1x16, 1 token, 2 threads, host (time to first token)"
        assert (minilm[0][-4], gpt2[0][-4]) == ("samples/s", "tokens/s")
        assert gpt2[2][-4] == ""
        assert gpt2[4][-4] != ""

    def test_a_killed_cell_is_shown_with_its_cause(self) -> None:
        text = markdown(usual())
        assert "| `tf-xla` | **failed** <sup>1</sup> |" in text
        assert f"\n1. failed: {KILLED}\n" in text

    def test_a_percentile_is_shown_when_there_are_enough_calls(self) -> None:
        def columns(calls: int) -> list[str]:
            made = document([cell("ort", SETTING, launches(10.0, number=1, rounds=1, calls=calls))])
            return [name for name in tables_of(markdown(made))[0][0] if name.startswith("p9")]

        assert columns(63) == []
        assert columns(130) == ["p90 ms", "p95 ms"]
        assert columns(661) == ["p90 ms", "p95 ms"]
        assert columns(662) == ["p90 ms", "p95 ms", "p99 ms"]

    def test_the_machine_the_method_and_the_time_limit_are_shown(self) -> None:
        made = usual()
        text = markdown(made)
        assert "Some Processor (avx2, fma); 2 processors usable; Python 3.11.9, onnxruntime 1.24.0" in text
        assert "from NumPy arrays to NumPy arrays, copies included" in text
        assert "(device)" not in text
        assert "time limit" not in text
        assert "The time limit of 110 s was reached before" in markdown(made | {"ended": "time limit"})

    def test_values_of_the_document_are_not_markup(self) -> None:
        setting = replace(SETTING, target="a|b <script>")
        made = document(
            [cell("ort", setting, launches(10.0)), without_number("x|`y", "failed", "no | more\n<b>", setting)]
        )
        text = markdown(made)
        assert "<script>" not in text
        assert "## a\\|b &lt;script&gt;" in text
        assert "`x\\|'y`" in text
        assert "failed: no \\| more &lt;b&gt;" in text
        (table,) = tables_of(text)
        assert {len(line) for line in table} == {len(table[0])}

    def test_without_a_number_of_the_first_engine_nothing_is_compared(self) -> None:
        made = document([without_number("ort", "failed", KILLED), cell("tf-xla", SETTING, launches(10.0))])
        assert f"- `ort` is not compared with `tf-xla`: {KILLED}" in markdown(made)


class TestCommaSeparated:
    def test_round_trips(self) -> None:
        made = usual()
        read = lines_of(made)
        for line, row in zip(read, rows(made), strict=True):
            assert line["key"] == row.key
            assert line["problem"] == (row.problem or "")
            if row.times is not None:
                assert float(line["median_ms"]) == row.times.median_ms
                assert (float(line["median_low_ms"]), float(line["median_high_ms"])) == row.times.interval_ms
                assert int(line["calls"]) == row.times.samples
            if row.speedup is not None:
                assert (float(line["times_as_fast"]), line["verdict"]) == (
                    row.speedup.times_as_fast,
                    row.speedup.verdict,
                )

    def test_columns_are_those_of_every_document(self) -> None:
        alone = document(
            [without_number("ort", "refused", "ort does not support the boundary device; it supports host")]
        )
        assert list(lines_of(alone)[0]) == list(lines_of(usual())[0])
        assert lines_of(alone)[0]["median_ms"] == lines_of(alone)[0]["peak_rss_mib"] == ""

    @pytest.mark.parametrize(("calls", "given"), [(661, False), (662, True)])
    def test_the_99th_percentile_needs_662_calls(self, calls: int, given: bool) -> None:
        (line,) = lines_of(document([cell("ort", SETTING, launches(10.0, number=1, rounds=1, calls=calls))]))
        assert (line["p99_ms"] != "") == given
        assert line["p95_ms"] != ""

    def test_one_round_has_no_interval(self) -> None:
        (line,) = lines_of(document([cell("ort", SETTING, launches(10.0, number=1, rounds=1))]))
        assert (line["median_low_ms"], line["median_high_ms"], line["precise"]) == ("", "", "False")

    def test_a_text_of_any_kind_is_one_cell(self) -> None:
        made = document([without_number("ort", "failed", 'a, "b"\nc')])
        assert lines_of(made)[0]["problem"] == 'a, "b"\nc'


class TestPage:
    def test_is_well_formed_and_fetches_nothing(self) -> None:
        page = Page(html(usual()))
        for tag, attributes in page.starts:
            assert tag not in ("script", "link", "iframe", "img", "object")
            for name, value in attributes.items():
                assert not name.startswith("on")
                if name in ("src", "href", "xlink:href"):
                    assert value is not None
                    assert value.startswith("#")
        assert not re.search(r"@import|url\((?!#)", html(usual()))
        assert {"name": "viewport", "content": "width=device-width, initial-scale=1"} in page.having("meta")

    def test_what_refers_within_the_page_finds_it_once(self) -> None:
        page = Page(html(usual()))
        ids = [attributes["id"] for _, attributes in page.starts if "id" in attributes]
        assert len(ids) == len(set(ids))
        referred = re.findall(r'href="#([^"]+)"|url\(#([^)]+)\)', html(usual()))
        assert referred
        assert {name for pair in referred for name in pair if name} <= set(ids)

    def test_the_verdict_comes_first_in_words_and_in_colour(self) -> None:
        text = html(usual())
        assert text.index('<h2 id="verdict">') < text.index("<svg")
        assert '<li class="slower">ort is slower, 0.' in text
        for cell_text in (
            r'"slower">slower: 0\.\d+ \[',
            r'"slower">slower: 0\.\d+ times as fast \[',
            r'"faster">faster: 2\.\d\d \[',
        ):
            assert re.search(f"<td class={cell_text}", text)
        assert re.search(r'<td class="even">no difference: (1\.0|0\.9)', text)

    def test_a_killed_cell_is_shown_with_its_cause(self) -> None:
        assert f"failed: {KILLED}" in Page(html(usual())).text

    def test_values_of_the_document_are_not_markup(self) -> None:
        setting = replace(SETTING, target='<script>alert("x")</script>')
        engine = "<img src=$x$ onerror=alert(1)>"
        problem = "<script>alert(2)</script>"
        made = document(
            [
                cell("ort", setting, launches(10.0)),
                cell(engine, setting, launches(20.0)),
                without_number("bad", "failed", problem, setting),
            ],
            cpu="<b>cpu</b>",
        )
        made["name"] = "<i>name</i>"
        page = Page(html(made))
        assert not page.having("script")
        assert not page.having("img")
        assert not page.having("i")
        assert not page.having("b")
        assert problem in page.text
        assert engine in page.text
        assert "<b>cpu</b>" in page.text
        assert '<script>alert("x")</script>' in page.text
        assert "<img src=$x$ onerror=al…" in page.text  # in a plot: Matplotlib would set $x$ as a formula

    def test_plots_are_labelled(self) -> None:
        page = Page(html(usual()))
        plots = page.having("svg")
        assert len(plots) == 2 + 4 + 1  # medians of two targets, four settings, one target with several batches
        assert all(plot["role"] == "img" and plot["aria-label"] for plot in plots)
        assert len(page.having("figcaption")) == len(plots)

    def test_plots_take_the_colours_of_the_page(self) -> None:
        text = html(usual())
        assert "prefers-color-scheme: dark" in text
        drawn = "".join(re.findall(r"<svg.*?</svg>", text, re.DOTALL))
        assert "var(--series-1)" in drawn
        assert not re.search(r"(fill|stroke): #(?!fff)", drawn)

    def test_the_same_results_give_the_same_bytes(self) -> None:
        assert html(usual()) == html(usual())

    def test_many_calls_do_not_make_it_large(self) -> None:
        few, many = (
            len(html(document([cell("ort", SETTING, launches(10.0, rounds=20, calls=calls))]))) for calls in (5, 200)
        )
        assert many < 1.2 * few
        assert few < 60_000

    def test_matplotlib_is_left_as_it_was(self) -> None:
        import matplotlib

        before = dict(matplotlib.rcParams)
        html(usual())
        assert dict(matplotlib.rcParams) == before

    def test_cells_without_a_number_are_a_page_too(self) -> None:
        made = document(
            [without_number("ort", "failed", KILLED), without_number("tf-xla", "refused", "its outputs disagree")],
            [cell("ort", TEXT, launches(10.0))],
        )
        text = Page(html(made)).text
        assert "ort is not compared with tf-xla: its outputs disagree" in text
        assert "ort is the only engine that was measured" in text


class TestSummary:
    def test_every_cell_is_a_line(self) -> None:
        made = usual()
        lines = summary(made).splitlines()
        assert lines[:2] == ["minilm", "  1x128, 2 threads, host"]
        assert re.match(
            r" {4}tf-function +5\.0\d \[.*\] ms +\d+ samples/s +ort against it: 2\.\d\d times as fast", lines[3]
        )
        assert re.search(rf"^ {{4}}tf-xla +failed: {re.escape(KILLED)}$", summary(made), re.MULTILINE)
        assert sum(line.startswith("    ") for line in lines) == len(rows(made))

    def test_whether_all_were_measured(self) -> None:
        assert not all_measured(usual())
        assert all_measured(document([cell("ort", SETTING, launches(10.0))]))


class TestRender:
    def test_writes_what_is_asked_for(self, tmp_path: Path) -> None:
        made = usual()
        render(made, html=tmp_path / "deep" / "a.html", markdown=tmp_path / "a.md")
        assert (tmp_path / "deep" / "a.html").read_text() == html(made)
        assert (tmp_path / "a.md").read_text() == markdown(made)
        assert len(list(tmp_path.iterdir())) == 2

    def test_a_file_that_cannot_be_written(self, tmp_path: Path) -> None:
        with pytest.raises(OutputError, match="cannot be written: it is a folder"):
            render(usual(), csv=tmp_path)
