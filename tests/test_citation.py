"""CITATION.cff is complete, and its version is that of the package."""

from pathlib import Path

import pytest

import pyspice_cim

ROOT = Path(__file__).parents[1]


def test_the_citation_file():
    yaml = pytest.importorskip("yaml", reason="PyYAML comes with pre-commit")
    found = yaml.safe_load((ROOT / "CITATION.cff").read_text())
    assert found["cff-version"] == "1.2.0"
    assert found["type"] == "software" and found["license"] == "GPL-3.0-or-later"
    assert found["version"] == pyspice_cim.__version__
    assert found["message"] and found["title"] and all(author["name"] for author in found["authors"])
    (paper,) = found["references"]
    assert paper["url"].endswith("2603.12739") and paper["title"] and paper["authors"]
    assert "doi" not in str(found).lower(), "there is no DOI"
    # The format wants authors that differ.
    for authors in (found["authors"], paper["authors"]):
        assert len({str(author) for author in authors}) == len(authors)
