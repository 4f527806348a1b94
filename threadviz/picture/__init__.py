"""From a trace to a picture: a layout of plain shapes, and what paints them."""
