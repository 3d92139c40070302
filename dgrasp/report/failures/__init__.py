"""The failure browser: every attempt of the published tables, and pictures of those that went wrong."""
