"""scenes: scene documents, drawables for every result, and what draws them."""
