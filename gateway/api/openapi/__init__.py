"""The description of the API: the document, and the page that shows it."""
