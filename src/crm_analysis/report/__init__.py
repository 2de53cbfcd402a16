"""From numbers to a book: figures, tables, words, pages, and the one step that publishes them."""
