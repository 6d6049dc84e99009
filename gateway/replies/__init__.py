"""Answers to authors: to one from their record, and to all who asked about a theme."""
