"""The package's version, apart from `dgrasp` itself, whose import is that of all its names to a fingerprint."""

VERSION = "0.1.0.dev0"
