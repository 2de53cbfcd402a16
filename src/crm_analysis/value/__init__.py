"""From fits to money: forecast and its proof, customer values, customer equity, who holds it."""
