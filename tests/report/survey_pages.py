"""What tests ask of the text of every page that speaks of a survey."""

import re

# Words that make of what goes together one thing that brings about the other. A driver is the name of a question, a
# total effect the term of the field for a sum along the paths of a model.
_CAUSAL = (
    r"leads? to",
    r"drives",
    r"improves",
    r"increases?",
    r"raises?",
    r"boosts?",
    r"because of",
    r"results? in",
    r"thanks to",
    r"due to",
    r"(?<!total )effects? (?:of|on)",
    r"influences?",
    r"impacts?",
)


def causal_words(text: str) -> list[str]:
    """Return the causal words in a text, each with what stands around it."""
    found = re.finditer(rf"\b(?:{'|'.join(_CAUSAL)})\b", text, flags=re.IGNORECASE)
    return [text[max(0, one.start() - 40) : one.end() + 40] for one in found]
