"""Codes in place of customer ids on published pages: the same customer has the same code in every book of a company."""

import contextlib
import hashlib
import hmac
import os
import secrets
import tempfile
from collections.abc import Iterable
from pathlib import Path

from crm_analysis.errors import SettingsError

KEY_VARIABLE = "CRM_ANALYSIS_KEY"
KEY_FILE = ".pseudonym-key"
_KEY_LENGTH = 64


def pseudonyms(customer_ids: Iterable[str], key: bytes) -> list[str]:
    """Return a code for each customer id.

    Parameters
    ----------
    customer_ids : iterable of str
        Ids as they stand in the data.
    key : bytes
        Secret of the company. Without it a code cannot be traced back by trying all ids.
    """
    return ["c-" + hmac.new(key, str(customer).encode(), hashlib.sha256).hexdigest()[:10] for customer in customer_ids]


def company_key(folder: Path) -> bytes:
    """Return the company's key: from the environment, else from a file in `folder` that is made on first use.

    The file is readable by its owner alone and lies where nothing is published from.
    """
    given = os.environ.get(KEY_VARIABLE)
    if given:
        return given.encode()
    file = folder / KEY_FILE
    folder.mkdir(parents=True, exist_ok=True)
    if not file.exists():
        descriptor, made = tempfile.mkstemp(dir=folder, prefix=KEY_FILE)  # readable by its owner alone
        try:
            with os.fdopen(descriptor, "wb") as handle:
                handle.write(secrets.token_hex(_KEY_LENGTH // 2).encode())
            with contextlib.suppress(FileExistsError):
                os.link(made, file)  # complete, or not at all; who comes second takes the key of the first
        finally:
            os.unlink(made)
    key = file.read_bytes().strip()
    if len(key) < _KEY_LENGTH:
        raise SettingsError(
            f"{file.name} in {folder.name} is damaged; put the key back from a copy, or remove the file for a new one."
        )
    return key


def share_key(folder: Path, others: Iterable[Path]) -> None:
    """Let the books of other folders use the key of `folder`; a folder that has a key of its own keeps it."""
    if os.environ.get(KEY_VARIABLE):
        return
    company_key(folder)
    for other in others:
        other.mkdir(parents=True, exist_ok=True)
        with contextlib.suppress(FileExistsError):
            os.link(folder / KEY_FILE, other / KEY_FILE)
