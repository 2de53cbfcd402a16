"""How far something is: words for whoever waits, with a count where there is one."""

from collections.abc import Callable


class Step(str):
    """Words that also say how far: the third of twelve, say. Whoever takes only words takes it as those.

    Parameters
    ----------
    words : str
        What is being done.
    number : int
        Which of the steps this is, from 1; with `is_done`, how many are.
    of : int
        How many there are.
    """

    number: int
    of: int
    is_done: bool

    def __new__(cls, words: str, number: int, of: int, *, is_done: bool = False) -> "Step":
        """Make the words and note how far they are."""
        made = super().__new__(cls, words)
        made.number, made.of, made.is_done = number, of, is_done
        return made

    @property
    def share(self) -> float:
        """Share of the steps that are done."""
        return (self.number if self.is_done else self.number - 1) / max(1, self.of)


Progress = Callable[[str], None]
"""Told in words what is being done; a `Step` where it is known how far."""
