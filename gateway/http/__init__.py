"""Between WSGI and the steps: a request becomes an Inbound, a Reply becomes a response."""
