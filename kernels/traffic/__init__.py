"""Networks as arrays: shortest paths and the user equilibrium of traffic on them."""
