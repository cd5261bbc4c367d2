"""The command `deblur`: options in, exit codes and text out."""
