"""The policies (Eq. 1, Sec. 4.2), and what their plans tell."""
