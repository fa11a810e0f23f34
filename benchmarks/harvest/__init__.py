"""Every graph that GoMLX's own tests build: compiled, run, compared with what GoMLX computed."""
