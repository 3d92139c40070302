"""Many small jobs: who makes them, here or on a cluster, and whether he can."""
