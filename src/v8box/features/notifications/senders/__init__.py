"""How messages leave the box: one module for each kind of channel, and what they share (`interface`, `http`)."""
