"""The static site: pages of `docs/`, notebooks, tables and figures of an experiment, and what plays in the page."""
