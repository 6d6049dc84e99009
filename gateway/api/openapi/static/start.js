// Shows the description. Nothing is asked of any other host: no validator badge, no fonts.
window.SwaggerUIBundle({
  url: '/openapi.json',
  dom_id: '#description',
  deepLinking: true,
  docExpansion: 'none',
  filter: true,
  validatorUrl: null,
});
