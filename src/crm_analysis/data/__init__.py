"""Tables come in here, are checked once, and leave as one row per customer."""
