"""The words that docs/glossary.md replaces do not occur in pages, help texts, docstrings and messages."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PACKAGE = ROOT / "pyspice_cim"
PAGES = sorted(
    path
    for pattern in ("*.md", "docs/*.md", "behavioral/*.md", "benchmarks/*.md", "characterization/*.md", "netlists/*.md")
    for path in ROOT.glob(pattern)
    # The changelog tells what was, and the glossary lists the words.
    if path.name not in ("CHANGELOG.md", "glossary.md")
)
# Parts of the package that are not searched yet; a part is struck off when its texts are rewritten.
LATER = ("tables",)
BANNED = {
    "convergence retries": r"\b(?:ladders?|rungs?|climb(?:s|ed|ing)?)\b",
    "metric, value or target": r"\b(?:target|public|calibrated|measured|nominal) figures?\b"
    r"|\bfigures? of (?:merit|the transistors|the table|\d)",
    "sequential": r"\bone after (?:the other|another)\b",
    "user cell": r"\bown (?:bit )?cells?\b|\b(?:bit )?cells? of (?:your|one's|its) own\b",
    "partial-sum macro": r"\bfurther macros?\b",
    "bitline differential": r"\bbitline split\b|\bsplit of the bitlines\b",
}
DIE = r"\bdie[- ]to[- ]die\b"


def texts(path: Path) -> Iterator[str]:
    """What a person reads of ``path``: a page, or the docstrings, help texts and messages of a module."""
    if path.suffix == ".md":
        # A link's address is no prose.
        yield re.sub(r"\]\([^)]*\)", "]", path.read_text())
        return
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and " " in node.value:
            yield node.value


def banned(text: str) -> list[str]:
    words = " ".join(text.split())
    found = [
        f"{match.group()!r}: say {better}"
        for better, pattern in BANNED.items()
        for match in re.finditer(pattern, words, re.IGNORECASE)
    ]
    if re.search(DIE, words, re.IGNORECASE) and "global variation" not in words.lower():
        found.append("die to die: say global variation beside it")
    return found


def modules() -> list[Path]:
    scripts = [
        path
        for name in ("behavioral", "characterization", "benchmarks", "netlists", "docs")
        for path in (ROOT / name).rglob("*.py")
    ]
    package = [path for path in PACKAGE.rglob("*.py") if path.relative_to(PACKAGE).parts[0] not in LATER]
    return sorted([*scripts, *package])


@pytest.mark.parametrize("path", [*PAGES, *modules()], ids=lambda path: str(path.relative_to(ROOT)))
def test_no_banned_word(path):
    assert [each for text in texts(path) for each in banned(text)] == []


@pytest.mark.parametrize(
    "text",
    [
        "A ladder of options",
        "the rung that helped",
        "updated one\n  after the other",
        "public target figures",
        "your own bit cell",
        "from die to die",
        "further macros add",
    ],
)
def test_the_search_finds_them(text):
    assert banned(text)


TERMS = """bitline, wordline, precharge, write driver, sense amplifier, corner, SNM, SOP, membrane, threshold, decay,
saturate, fire, accumulate, organisation, step program, home macro, partial-sum macro, column peripheral, bit-serial ALU,
bitline differential, convergence retries, metric, figure, held-out point, audit, global variation, mismatch, read failure,
control line, user cell"""


def test_the_glossary_defines_each_term_once():
    page = (ROOT / "docs" / "glossary.md").read_text().partition("## Words that are not used")[0]
    rows = [row.split(" | ", 1) for row in re.findall(r"^\| (.*) \|$", page, re.MULTILINE)]
    defined = [name for terms, _ in rows for name in terms.split(", ") if name != "term"]
    assert len(defined) == len(set(defined))
    assert set(" ".join(TERMS.split()).split(", ")) <= set(defined)


def test_the_glossary_names_what_is_banned():
    """The page and this test hold the same list, and every later part is a folder of the package."""
    glossary = (ROOT / "docs" / "glossary.md").read_text().partition("## Words that are not used")[2]
    for better in BANNED:
        assert re.split(r", | or ", better)[0] in glossary, better
    assert "global variation" in glossary
    assert all((PACKAGE / name).is_dir() for name in LATER)
