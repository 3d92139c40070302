"""Captures: folders of photographs with a `transforms.json`, read strictly, so that nothing is believed unchecked."""
