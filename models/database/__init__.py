"""The two kinds of database behind one proxy: connections, locks, group commit, copies."""
