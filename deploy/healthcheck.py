"""Is the web server of this container alive? Exit code 0 when it answers, 1 when it does not.

A redirect to https counts: it was the server that said so.
"""

import http.client
import sys

connection = http.client.HTTPConnection("127.0.0.1", 8000, timeout=4)
try:
    connection.request("GET", "/livez")
    healthy = connection.getresponse().status < http.client.BAD_REQUEST
except (OSError, http.client.HTTPException):
    healthy = False
sys.exit(0 if healthy else 1)
