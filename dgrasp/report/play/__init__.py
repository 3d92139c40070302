"""The policy in the browser: landscapes that readers move in, without a kernel or a server."""
