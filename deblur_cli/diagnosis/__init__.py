"""What this machine can do, and whether it does it right: the facts behind `deblur doctor`."""
