"""What stands on the board: prisms, YCB models, everyday objects, and how they look."""
