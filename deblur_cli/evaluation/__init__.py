"""How well a restored picture matches the truth."""
