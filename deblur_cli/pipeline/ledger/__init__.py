"""What was made, from which input and with which settings; safe from any interruption."""
