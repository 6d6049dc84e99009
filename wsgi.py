"""What a WSGI server runs: `gunicorn wsgi:app`."""

import os
import sys

from gateway import opening, sealed
from gateway.app import create_app
from gateway.config import Config, unknown
from models.base import close

os.umask(0o077)  # what it writes is for this user alone
config = Config.from_env()
opening.open_database(config, schema=False)  # /readyz says what is pending
sealed.connect(config)
sealed.check()
close()  # a connection must not cross a fork
for line in [*unknown(), *opening.close_files(config)]:
    print(f"Warning: {line}", file=sys.stderr)
app = create_app(config)
