"""Who may do what: callers, API keys, hooks, users, sign-in by OpenID Connect, the audit log."""
