"""What a network does inside, what it costs, and how fast it is here."""
