"""Who may do what: callers, API keys, hooks, users and whose accounts they are, the audit log."""
