"""Many bulletins in, many taggings out."""
