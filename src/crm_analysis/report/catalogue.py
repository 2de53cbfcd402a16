"""Sentences of the notebooks for the message catalogue: what `render` looks up, one message a heading or paragraph."""

import json
from collections.abc import Iterator
from typing import Any, BinaryIO

from crm_analysis.report.render import split_markdown


def extract_from_notebook(
    file: BinaryIO, _keywords: object, _comments: object, options: dict[str, Any]
) -> Iterator[tuple[int, str, str, list[str]]]:
    """Yield the messages of a notebook, in the form Babel asks of an extractor."""
    for position, cell in enumerate(json.load(file)["cells"], start=1):
        if cell["cell_type"] == "markdown":
            heading, prose = split_markdown("".join(cell["source"]))
            for sentence in [heading, *prose] if heading else prose:
                yield position, "_", sentence, []
