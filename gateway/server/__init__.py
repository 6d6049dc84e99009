"""From bytes to a request and back: the only folder that knows gunicorn. docs/connections.md"""
