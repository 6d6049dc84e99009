"""What is asked of the tables: lists, full text, statistics, retention, personal data."""
