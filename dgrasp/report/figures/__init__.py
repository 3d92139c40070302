"""What figures show, and how it is drawn."""
