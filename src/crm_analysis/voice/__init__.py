"""The customer's voice: satisfaction and loyalty from surveys, and what goes with them."""
