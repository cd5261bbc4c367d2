"""The field's data sets brought to this machine, and checked: `deblur data`."""
