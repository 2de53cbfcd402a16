"""Codes in place of customer ids on published pages: the same customer has the same code in every book of a company."""

import hashlib
import hmac
import os
import secrets
from collections.abc import Iterable
from pathlib import Path

KEY_VARIABLE = "CRM_ANALYSIS_KEY"
KEY_FILE = ".pseudonym-key"


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
    try:
        descriptor = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except FileExistsError:
        return file.read_bytes().strip()
    with os.fdopen(descriptor, "wb") as handle:
        handle.write(secrets.token_hex(32).encode())
    return file.read_bytes().strip()
