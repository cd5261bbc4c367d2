"""What the given paths mean: the pictures to be restored, found without reading one."""
