"""The labelled sentences of hearth-intent: one `label<TAB>sentence` a line."""

from pathlib import Path

FOLDER = Path(__file__).resolve().parent
PARTS = ("train", "heldout", "final50")


def read(path):
    """Returns [(label, sentence)], refusing a line that is not exactly that."""
    rows = []
    for number, line in enumerate(Path(path).read_text(encoding="utf-8").splitlines(), 1):
        cells = line.split("\t")
        if len(cells) != 2 or not all(cell and cell == cell.strip() for cell in cells):
            raise ValueError(f"{path}:{number}: not label, tab, sentence")
        rows.append((cells[0], cells[1]))
    return rows
