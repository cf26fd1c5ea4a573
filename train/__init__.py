"""Labels in, a fitted model out. Needs the extra ``train``."""
