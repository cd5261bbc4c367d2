"""The page that shows people how a batch went."""
