"""The HTML that stands around Airbyte: the web app's page, and the proxies' own."""

from __future__ import annotations

from http import HTTPStatus

WEB_APP = """<!doctype html>
<html lang="en">
<head><meta charset="utf-8"><title>Airbyte</title></head>
<body><noscript>You need to enable JavaScript to run this app.</noscript><div id="root"></div></body>
</html>
"""

ACCESS_DENIED = """<html>
<head><meta charset="utf-8"><title>Airbyte - Access Denied</title></head>
<body>
<h1>Nope.</h1>
<h2><code>HTTP Error Code: 401</code></h2>
<p>This Airbyte wants a user name and a password.</p>
</body>
</html>
"""

# Where nginx has words of its own.
_NGINX = {
    401: "Authorization Required",
    405: "Not Allowed",
    413: "Request Entity Too Large",
    503: "Service Temporarily Unavailable",
    504: "Gateway Time-out",
}


def proxy_error(status: int) -> str:
    """The page with which nginx responds on its own account."""
    phrase = _NGINX.get(status) or next((known.phrase for known in HTTPStatus if known == status), "Error")
    title = f"{status} {phrase}"
    return (
        f"<html>\r\n<head><title>{title}</title></head>\r\n<body>\r\n<center><h1>{title}</h1></center>\r\n"
        "<hr><center>nginx</center>\r\n</body>\r\n</html>\r\n"
    )
