"""cim: a city information model that answers questions."""
