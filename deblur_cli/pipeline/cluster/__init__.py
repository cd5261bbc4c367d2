"""Many machines: workers on a cluster, who has what in hand, and what becomes of the lost."""
