"""The paper's idea on its own: the losses (Eq. 2, 4, 6), their exact second order (Eq. 5), the climb (Sec. 3.3)."""
