"""Figures of the book, one file each: a ready frame in, a drawing with its words out. They do not estimate."""
