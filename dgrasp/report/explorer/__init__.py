"""The slope explorer: a cut through the landscape of a scene, with sliders."""
