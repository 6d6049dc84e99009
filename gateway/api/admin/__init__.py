"""What admins do over the API: keys, hooks, projects, quarantine and the audit trail of a workspace.

Each page here asks the functions that the command line asks. A key of one project administers that
project only; ids of others are unknown to it.
"""
