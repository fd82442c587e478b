"""An env.py that reads the application's own settings."""

import os

os.environ["MAIL_HOST"]
