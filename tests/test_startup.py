"""What a run with nothing to do leaves out: the time of its start is what an idle site costs."""

from __future__ import annotations

import os
from pathlib import Path
from typing import BinaryIO

import pytest

import startup
from loganon import ingest
from loganon.store import LocalStore, footers
from loganon.store.footers import Footers
from support.cli import SAMPLE_NOW, SAMPLES, Inside


def counted(folder: Path) -> list[Path]:
    """The cells of a store into which a sample log was counted."""
    words = ("run", SAMPLES / "shop.access.log", "--store", "store", "--now", SAMPLE_NOW)
    assert Inside(folder)(*words).code == 0
    cells = sorted((folder / "store" / "access").glob("*/*.parquet"))
    assert len(cells) > 2
    return cells


def reads(monkeypatch: pytest.MonkeyPatch) -> list[Path]:
    """The cells whose footers are read from now on."""
    read: list[Path] = []
    decode = footers.decode_footer

    def decoded(file: BinaryIO, path: Path, store: str) -> footers.Footer:
        read.append(path)
        return decode(file, path, store)

    monkeypatch.setattr(footers, "decode_footer", decoded)
    return read


def test_nothing_to_do(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A run on logs that are counted makes no pipeline, with its lists, and reads the footer of each cell once."""
    cells = counted(tmp_path)
    read = reads(monkeypatch)
    monkeypatch.setattr(ingest, "build", None)
    assert counted(tmp_path) == cells
    assert sorted(path.relative_to(tmp_path / "store") for path in read) == [
        path.relative_to(tmp_path / "store") for path in cells
    ]


@pytest.mark.parametrize(
    ("seconds", "broken"), [((0.05, 0.16, 0.19, 0.9), 0), ((0.05, 0.21, 0.19, 0.9), 1), ((0.05, 0.21, 0.21, 1.1), 3)]
)
def test_the_bounds_of_a_start(seconds: tuple[float, ...], broken: int) -> None:
    """`make bench-startup` names each command that takes longer than it may, by the fastest of its starts."""
    names = (startup.EMPTY, "loganon --version", "loganon --help", startup.RUN)
    took = {name: [startup.Took(9.0, 9.0), startup.Took(each, each)] for name, each in zip(names, seconds, strict=True)}
    assert len(startup._broken(took)) == broken


def test_footers_are_those_of_the_files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A cell that was replaced, or written to in place, is read again; of too many the first read are forgotten."""
    one, other, third, *_ = counted(tmp_path)
    uuid = LocalStore.open(tmp_path / "store").uuid
    read, known = reads(monkeypatch), Footers(most=2)
    first = known.read(one, uuid)
    assert known.read(one, uuid) == first == (one.stat().st_size, Footers().read(one, uuid)[1])
    other_bytes = other.read_bytes()
    copy = one.with_name("copy")
    copy.write_bytes(other_bytes)
    copy.replace(one)
    assert known.read(one, uuid) == known.read(other, uuid)
    one.write_bytes(one.read_bytes())
    os.utime(one, ns=(0, 0))
    known.read(one, uuid)
    assert read == [one, one, one, other, one]
    known.read(third, uuid)
    known.read(other, uuid)
    assert read[5:] == [third, other]
