"""Model and labels in, figures out."""
