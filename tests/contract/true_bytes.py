"""Refusals of real servers, byte by byte; each names the section of the facts about Airbyte that it was typed from."""

from __future__ import annotations

CONNECTION = "7639d785-c571-4dc8-b6be-5cac5af56c49"
WORKSPACE = "5ae6b09b-fdec-41af-aaf7-7d94cfc33ef6"
SOURCE = "6054b03b-a9bd-4090-96a7-08076f066975"
DESTINATION = "c5ad053e-5741-4774-a60c-f976fe95c4dd"
UNKNOWN = "00000000-dead-4bad-8bad-000000000404"
ERROR_ID = "0d9f4a36-6a8b-4f0e-9f2e-1b2c3d4e5f60"


def http(status: str, body: str, content_type: str | None = "application/json", **headers: str) -> bytes:
    """A whole response: status line, headers, body."""
    lines = [f"HTTP/1.1 {status}"]
    lines += [f"Content-Type: {content_type}"] if content_type else []
    lines += [f"{name.replace('_', '-')}: {value}" for name, value in headers.items()]
    lines += [f"Content-Length: {len(body.encode())}"]
    return ("\r\n".join(lines) + "\r\n\r\n" + body).encode()


def html(status: str, **headers: str) -> bytes:
    """nginx's own page."""
    page = (
        f"<html>\r\n<head><title>{status}</title></head>\r\n<body>\r\n<center><h1>{status}</h1></center>\r\n"
        "<hr><center>nginx</center>\r\n</body>\r\n</html>\r\n"
    )
    return http(status, page, "text/html", Server="nginx", **headers)


def jsonerror(status: str, message: str, path: str, *, bare: bool = False, **headers: str) -> bytes:
    """3.1.1 JSONERROR; `bare`: as before 0.60.0, where the inner object has nothing but its message."""
    inner = f'{{"message":"{message}"}}' if bare else f'{{"message":"{message}","_links":{{}},"_embedded":{{}}}}'
    body = (
        f'{{"message":"{status[4:]}","_links":{{"self":{{"href":"{path}","templated":false}}}},'
        f'"_embedded":{{"errors":[{inner}]}}}}'
    )
    return http(status, body, **headers)


def jersey(status: str, message: str, class_name: str, *, extra: str = "") -> bytes:
    """3.1.1 JERSEY (up to 0.40.27), and MICRO up to 1.2, which has the same keys."""
    body = (
        f'{{{extra}"message":"{message}","exceptionClassName":"{class_name}",'
        f'"exceptionStack":["{class_name}: {message}","\\tat io.airbyte.server.Secret.method(Secret.java:1)"]}}'
    )
    return http(status, body)


def micro_short(status: str, message: str, class_name: str) -> bytes:
    """3.1.1 MICRO, 1.3 - 1.8."""
    return http(status, f'{{"message":"{message}","exceptionClassName":"{class_name}"}}')


# 3.1.2: path not in this release.
JERSEY_MISSING_WITH_NULL_ID = http(
    "404 Not Found",
    '{"id":null,"message":"Object not found. HTTP 404 Not Found",'
    '"exceptionClassName":"io.airbyte.server.errors.IdNotFoundKnownException",'
    '"exceptionStack":["io.airbyte.server.errors.IdNotFoundKnownException: Object not found. HTTP 404 Not Found",'
    '"\\tat io.airbyte.server.errors.NotFoundExceptionMapper.toResponse(NotFoundExceptionMapper.java:22)"],'
    '"rootCauseExceptionClassName":"java.lang.Class",'
    '"rootCauseExceptionStack":["javax.ws.rs.NotFoundException: HTTP 404 Not Found"]}',
)
JERSEY_MISSING = http(
    "404 Not Found",
    '{"message":"Object not found. HTTP 404 Not Found",'
    '"exceptionClassName":"io.airbyte.server.errors.IdNotFoundKnownException",'
    '"exceptionStack":["io.airbyte.server.errors.IdNotFoundKnownException: Object not found. HTTP 404 Not Found",'
    '"\\tat io.airbyte.server.errors.NotFoundExceptionMapper.toResponse(NotFoundExceptionMapper.java:22)"],'
    '"rootCauseExceptionClassName":"java.lang.Class",'
    '"rootCauseExceptionStack":["javax.ws.rs.NotFoundException: HTTP 404 Not Found"]}',
)
PLAIN_MISSING = http("404 Not Found", "Object not found.")

# 3.1.2, 4: the token check up to 0.51; later it is JSONERROR.
EMPTY_401 = http("401 Unauthorized", "", None)
EMPTY_403 = http("403 Forbidden", "", None)

# 3.1.2: wrong method.
JERSEY_WRONG_METHOD = jersey(
    "500 Internal Server Error",
    "Internal Server Error: HTTP 405 Method Not Allowed",
    "javax.ws.rs.NotAllowedException",
)
MICRO_WRONG_METHOD = jsonerror(
    "405 Method Not Allowed",
    "Method [GET] not allowed for URI [/api/v1/connections/get]. Allowed methods: [POST]",
    "/api/v1/connections/get",
    bare=True,
    Allow="POST",
)
EMPTY_WRONG_METHOD = http("405 Method Not Allowed", "", None, Allow="POST")
NGINX_WRONG_METHOD = html("405 Not Allowed")  # POST to the web app, up to 1.7

# 3.1.3: an unknown connection.
COULD_NOT_FIND = f"Could not find configuration for STANDARD_SYNC: {UNKNOWN}."
JERSEY_UNKNOWN_ID = jersey(
    "404 Not Found", COULD_NOT_FIND, "io.airbyte.server.errors.IdNotFoundKnownException", extra=f'"id":"{UNKNOWN}",'
)
MICRO_UNKNOWN_ID = jersey(
    "404 Not Found",
    f"Internal Server Error: {COULD_NOT_FIND}",
    "io.airbyte.commons.server.errors.IdNotFoundKnownException",
)
MICRO_UNKNOWN_ID_0_40_28 = jersey(
    "404 Not Found", f"Internal Server Error: {COULD_NOT_FIND}", "io.airbyte.server.errors.IdNotFoundKnownException"
)
MICRO_SHORT_UNKNOWN_ID = micro_short(
    "404 Not Found",
    f"Internal Server Error: {COULD_NOT_FIND}",
    "io.airbyte.commons.server.errors.IdNotFoundKnownException",
)
OPAQUE_404 = http("404 Not Found", f'{{"errorId":"{ERROR_ID}"}}')

# 3.1.3: sources/get up to 0.40.17, workspaces/get_by_connection_id up to 0.50.29.
NO_CONFIG = (
    "Internal Server Error: io.airbyte.config.persistence.ConfigNotFoundException: config type: {} id: " + UNKNOWN
)
JERSEY_UNKNOWN_SOURCE = jersey(
    "500 Internal Server Error",
    NO_CONFIG.format("SOURCE_CONNECTION"),
    "java.lang.RuntimeException",
)
JERSEY_UNKNOWN_FOR_WORKSPACE = jersey(
    "500 Internal Server Error", NO_CONFIG.format("STANDARD_SYNC"), "java.lang.RuntimeException"
)

# 3.1.3: an unknown job.
UNKNOWN_JOB = 99999
NO_JOB = f"Internal Server Error: Could not find job with id: {UNKNOWN_JOB}"
JERSEY_UNKNOWN_JOB = jersey("500 Internal Server Error", NO_JOB, "java.lang.RuntimeException")
MICRO_UNKNOWN_JOB = jersey("500 Internal Server Error", NO_JOB, "java.lang.RuntimeException")
MICRO_SHORT_UNKNOWN_JOB = micro_short("500 Internal Server Error", NO_JOB, "java.lang.RuntimeException")
OPAQUE_500 = http("500 Internal Server Error", f'{{"errorId":"{ERROR_ID}"}}')

# 3.1.3: an unknown attempt on attempt/get_for_job (>=0.50.9).
NO_ATTEMPT = "Internal Server Error: Could not find attempt for job_id: 7 and attempt no: 9"
MICRO_UNKNOWN_ATTEMPT = jersey("404 Not Found", NO_ATTEMPT, "io.airbyte.commons.server.errors.IdNotFoundKnownException")

# 1.2: an undeclared field, up to 0.40.27.
JERSEY_UNKNOWN_FIELD = jersey(
    "422 Unprocessable Entity",
    'Invalid json input. Unrecognized field \\"x\\" (class io.airbyte.api.model.generated.ConnectionIdRequestBody), '
    "not marked as ignorable",
    "com.fasterxml.jackson.databind.exc.UnrecognizedPropertyException",
)
# 3.1.3: malformed UUID.
JERSEY_MALFORMED = jersey(
    "422 Unprocessable Entity",
    "Invalid json input. Cannot deserialize value of type `java.util.UUID` from String: UUID has to be represented by "
    "standard 36-char representation",
    "com.fasterxml.jackson.databind.exc.InvalidFormatException",
)
JSONERROR_MALFORMED = jsonerror(
    "400 Bad Request",
    "Failed to convert argument [connectionIdRequestBody] for value [null] due to: Cannot deserialize value of type "
    "`java.util.UUID`",
    "/api/v1/connections/get",
)

# 3.1.3: known exceptions.
KNOWN_409 = http("409 Conflict", f'{{"message":"A sync is already running for: {CONNECTION}","errorId":"{ERROR_ID}"}}')
PROBLEM_LOCKED = http(
    "409 Conflict",
    '{"status":409,"type":"error:connection/locked","title":"Connection is locked",'
    '"detail":"The connection is locked and cannot be modified.",'
    f'"data":{{"connectionId":"{CONNECTION}","statusReason":"capacity"}}}}',
)
KNOWN_423 = http(
    "423 Locked",
    f'{{"message":"State cannot be updated while a sync is running for this connection.","errorId":"{ERROR_ID}"}}',
)

# 3.1.3: instance_configuration of a fresh instance, before and since 2.0.
MICRO_FRESH_INSTANCE = jersey(
    "500 Internal Server Error",
    "Internal Server Error: Default user not found",
    "java.lang.IllegalStateException",
)
MICRO_SHORT_FRESH_INSTANCE = micro_short(
    "500 Internal Server Error", "Internal Server Error: Default user not found", "java.lang.IllegalStateException"
)

# 3.1.3: connections/delete.
NO_CONTENT = b"HTTP/1.1 204 No Content\r\n\r\n"
EMPTY_200 = http("200 OK", "", None)  # 0.40.28 alone

# 3.1.4: time and size limits.
NGINX_413 = html("413 Request Entity Too Large")
JSONERROR_413 = jsonerror(
    "413 Request Entity Too Large",
    "The content length [20971520] exceeds the maximum allowed content length [10485760]",
    "/api/v1/state/create_or_update_safe",
)
NGINX_502 = html("502 Bad Gateway")
NGINX_504 = html("504 Gateway Time-out")
PROBLEM_408 = http(
    "408 Request Timeout",
    '{"status":408,"type":"error:request-timeout-exceeded","title":"Request timeout exceeded",'
    '"detail":"The request has exceeded the timeout associated with this endpoint.","data":{"timeout":"PT1S"}}',
)

# 3.1.5 rule 3: responses to a path that is not an Airbyte's.
TRAEFIK_404 = http(
    "404 Not Found", "404 page not found\n", "text/plain; charset=utf-8", X_Content_Type_Options="nosniff"
)
DEFAULT_BACKEND_404 = http("404 Not Found", "default backend - 404", "text/plain; charset=utf-8")
EMPTY_404 = http("404 Not Found", "", None)
NGINX_404 = html("404 Not Found")
KONG_404 = http(
    "404 Not Found",
    '{\n  "message":"no Route matched with those values"\n}',
    "application/json; charset=utf-8",
    Server="kong/3.4.2",
)
AWS_404 = http("404 Not Found", '{"message":"Not Found"}', X_Amzn_RequestId="c6af9ac6-7b61-11e6-9a41-93e8deadbeef")
INGRESS_403 = html("403 Forbidden")

# 4: the Basic proxy, 0.40.16 - 0.63.x, on every path.
BASIC_PROXY_401 = http(
    "401 Unauthorized",
    "<html>\n<head><title>Airbyte - Access Denied</title></head>\n<body>\n<h1>Nope.</h1>\n"
    "<p>HTTP Error Code: 401</p>\n</body>\n</html>\n",
    "text/html",
    Server="nginx",
    WWW_Authenticate='Basic realm="Welcome to Airbyte"',
)
# 4: the community edition's challenge of some releases from 1.3 to 2.1.
CHALLENGE_401 = jsonerror(
    "401 Unauthorized", "Unauthorized", "/api/v1/connections/get", WWW_Authenticate='Basic realm="Airbyte"'
)
UNAUTHORIZED = jsonerror("401 Unauthorized", "Unauthorized", "/api/v1/connections/get")
FORBIDDEN = jsonerror("403 Forbidden", "Forbidden", "/api/v1/connections/get")

# 4: the token endpoint refuses.
TOKEN_PATH = "/api/v1/applications/token"
PUBLIC_TOKEN_PATH = "/api/public/v1/applications/token"
COMMUNITY_TOKEN_400 = jsonerror("400 Bad Request", "Invalid client id or token", TOKEN_PATH)
KEYCLOAK_TOKEN_401 = jsonerror("401 Unauthorized", "HTTP 401 Unauthorized", TOKEN_PATH, bare=True)
KEYCLOAK_TOKEN_500 = jersey(
    "500 Internal Server Error",
    "Internal Server Error: class io.micronaut.http.HttpResponse cannot be cast to class javax.ws.rs.core.Response",
    "java.lang.ClassCastException",
)
OPAQUE_401 = http("401 Unauthorized", f'{{"errorId":"{ERROR_ID}"}}')
DATABASE_TOKEN_500 = micro_short(
    "500 Internal Server Error",
    "Internal Server Error: Invalid client id or secret",
    "java.lang.IllegalArgumentException",
)
