"""Hand-written derivatives of the field, beside the plain reference that the tests hold them to."""
