"""Probability models of buying and spending: pure functions on arrays, and fits that never change."""
