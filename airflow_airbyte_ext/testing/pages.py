"""The HTML that stands around Airbyte: the web app's page, and the proxy's own."""

from __future__ import annotations

from http import HTTPStatus

WEB_APP = """<!doctype html>
<html lang="en">
<head><meta charset="utf-8"><title>Airbyte</title></head>
<body><noscript>You need to enable JavaScript to run this app.</noscript><div id="root"></div></body>
</html>
"""

UNAUTHORIZED = """<!doctype html>
<html lang="en">
<head><title>Airbyte - Access Denied</title></head>
<body><h1>Your credentials are wrong or missing</h1></body>
</html>
"""


def proxy_error(status: int) -> str:
    """The page with which nginx answers on its own account."""
    phrase = next((known.phrase for known in HTTPStatus if known == status), "Error")
    title = f"{status} {phrase}"
    return f"<html>\n<head><title>{title}</title></head>\n<body><center><h1>{title}</h1></center></body>\n</html>\n"
