"""The digest: what came in over a period, in words and numbers, as Markdown and as HTML for an e-mail."""
