"""What a WSGI server runs: `gunicorn wsgi:app`."""

import os
import sys

from gateway.access import encryption_key
from gateway.app import create_app
from gateway.core import storage
from gateway.core.config import Config, unknown
from models.database.base import close

os.umask(0o077)  # what it writes is for this user alone
config = Config.from_env()
storage.open_database(config, schema=False)  # /readyz says what is pending
encryption_key.connect(config)
encryption_key.check()
close()  # a connection must not cross a fork
for line in [*unknown(), *storage.close_files(config)]:
    print(f"Warning: {line}", file=sys.stderr)
app = create_app(config)
