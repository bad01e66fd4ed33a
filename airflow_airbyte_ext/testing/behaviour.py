"""What Airbyte does, release by release: one table that the fake reads by the names of its rows.

`docs/airbyte-behaviour.md` is made of it. [CODE file or commit] was read in Airbyte's source, [PUBLIC #n] is a public
issue, [DOC n] are the notes of release n, [SPEC] is the OpenAPI document of each release, [INFER] is concluded.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Behaviour:
    """One thing that some releases do and others do not.

    `name` is what the code uses (`era.has("structured_logs")`) and `does` what a user reads. It holds from the
    release `since` until the release `until`, which is the first without it; "" is no bound. `setup` is the
    authentication for which it holds ("" for any), `client` what this package does about it.
    """

    name: str
    does: str
    since: str = ""
    until: str = ""
    evidence: str = ""
    setup: str = ""
    client: str = ""


BEHAVIOURS: dict[str, tuple[Behaviour, ...]] = {
    "Paths, methods and sizes": (
        Behaviour(
            "missing_path_is_text",
            "A path that the release lacks is a 404 with the raw text `Object not found.`, labelled as JSON; before, "
            "with JSON whose message is `Object not found. HTTP 404 Not Found` and which has no `id`.",
            since="0.40.28",
            evidence="[CODE NotFoundExceptionMapper.java:22 0.40.27; NotFoundController 02e0258948:26, v1.0.0:29, "
            "v2.0.0:28; PUBLIC airbytehq/airbyte-api-python-sdk#89]",
            setup="no token check",
            client="Takes the three kinds of response for a missing operation, by response and release together.",
        ),
        Behaviour(
            "missing_path_is_forbidden",
            "A path or method that the release lacks is a 403 for a valid token, and a 401 without one.",
            since="0.50.0",
            evidence="[CODE micronaut-security SecurityFilter:178; PUBLIC open-metadata/OpenMetadata#24855]",
            setup="token check",
            client="The same; a 403 within the releases of an operation is about the role.",
        ),
        Behaviour(
            "wrong_method_is_405",
            "A wrong HTTP method is a 405 with `Allow`; before, a 500.",
            since="0.40.28",
            evidence="[CODE UncaughtExceptionMapper 0.40.27; micronaut-core 3.8.0 onRouteMiss]",
            setup="no token check",
        ),
        Behaviour(
            "wrong_content_type_is_415",
            "A content type other than JSON is a 415; before, a 500.",
            since="0.40.28",
            evidence="[INFER before; CODE micronaut-core 3.8.0 onRouteMiss]",
        ),
        Behaviour(
            "routing_errors_are_empty",
            "405 and 415 have no body.",
            since="0.64.2",
            evidence="[CODE micronaut-jaxrs 4.6.1]",
        ),
        Behaviour(
            "server_limits_requests",
            "The server refuses requests of more than 10 MB with a 413.",
            since="0.40.28",
            evidence="[CODE application.yml max-request-size; micronaut-core 3.8.0 RoutingInBoundHandler:241]",
            client="Says which limit has to be raised; a restore undoes its first step.",
        ),
        Behaviour(
            "web_app_has_its_own_nginx",
            "The web app stands behind nginx: it takes 200 MB, shows the app for a GET of any path outside /api, and "
            "refuses a POST there with a 405. Later the server itself shows the app.",
            until="1.8.0",
            evidence="[CODE WebappFilter.kt:63 v1.8.0]",
        ),
        Behaviour(
            "basic_proxy_takes_1_mb",
            "The proxy refuses requests of more than 1 MB with a 413.",
            since="0.40.16",
            until="0.40.26",
            evidence="[CODE c9fb128056; PUBLIC #18822]",
            setup="Basic proxy",
            client="Says that a proxy's limit has to be raised; a restore undoes its first step.",
        ),
    ),
    "Requests": (
        Behaviour(
            "undeclared_fields_are_refused",
            "A field that the release does not declare is refused with a 422.",
            until="0.40.28",
            evidence="[CODE ServerApp.java:134 0.40.27; PUBLIC #6160]",
            client="Sends only what the release declares, and refuses the rest itself.",
        ),
        Behaviour(
            "can_refuse_undeclared_fields",
            "A server with `platform.enable-strict-json-deserialization` refuses undeclared fields of connections, "
            "web_backend and workspaces with a 400.",
            since="2.2.0",
            evidence="[CODE 9b0e32f065; TEST StrictJsonDeserializationTest.kt]",
        ),
        Behaviour(
            "malformed_is_422",
            "A malformed id, an unknown word or broken JSON is a 422 of Airbyte's own; later a 400 of the framework.",
            until="0.40.28",
            evidence="[PUBLIC #20107; TEST StrictJsonDeserializationTest.kt]",
        ),
        Behaviour(
            "required_fields_are_validated",
            "A required field that is missing is a 400 with `validationErrors`; later the server fails on it: 500.",
            until="0.40.28",
            evidence="[CODE InvalidInputExceptionMapper.java; TEST ConnectionApiTest:112 v0.42.0; INFER the 500]",
        ),
        Behaviour(
            "enums_ignore_case",
            "The words of enums are understood in any case.",
            since="0.59.1",
            evidence="[CODE MoreMappers.java:39 v0.59.1]",
        ),
        Behaviour(
            "geography_is_an_enum",
            "`geography` is one of auto, us and eu.",
            until="1.6.0",
            evidence="[SPEC ConnectionUpdate.geography]",
        ),
        Behaviour(
            "updates_replace",
            "An update replaces the whole connection; later it changes what it names.",
            until="0.40.8",
            evidence="[SPEC ConnectionUpdate]",
            client="Sends the whole connection, read just before.",
        ),
    ),
    "Errors": (
        Behaviour(
            "unknown_id_is_named",
            "The 404 of an unknown id has the id in `id`.",
            until="0.40.28",
            evidence="[CODE IdNotFoundKnownException.java 0.40.27; PUBLIC #20107]",
        ),
        Behaviour(
            "unknown_id_is_called_an_error",
            "The message of an unknown id begins with `Internal Server Error: `, although the status is 404.",
            since="0.40.28",
            until="2.0.0",
            evidence="[CODE IdNotFoundExceptionHandler v0.40.32, v1.8.0; PUBLIC #28616]",
        ),
        Behaviour(
            "error_stacks",
            "Errors carry the server's stack trace, and that of their cause.",
            until="1.3.0",
            evidence="[CODE d4a4ebaaf3]",
            client="Leaves stack traces out of messages and logs.",
        ),
        Behaviour(
            "error_stacks_are_empty",
            "A 500 has empty lists where the stack traces were.",
            since="1.3.0",
            until="2.0.0",
            evidence="[PUBLIC #54058, #65592]",
        ),
        Behaviour(
            "root_cause_is_class",
            "The cause of an error is called `java.lang.Class`, whatever it was.",
            until="0.64.5",
            evidence="[CODE KnownException.java v0.64.4, v0.64.5]",
        ),
        Behaviour(
            "errors_are_in_commons",
            "The classes of Airbyte's errors are in `io.airbyte.commons.server.errors`.",
            since="0.40.30",
            evidence="[CODE 0b97ce3d6c]",
        ),
        Behaviour(
            "errors_are_opaque",
            "An unknown id (404) and a failure of the server (500) carry an `errorId` and nothing else.",
            since="2.0.0",
            evidence="[CODE IdNotFoundExceptionHandler.kt, UncaughtExceptionHandler.kt v2.0.0]",
            client="Quotes the `errorId`, and reads the connection to say what is wrong.",
        ),
        Behaviour(
            "json_errors_have_links",
            "In the framework's errors each inner message has an empty `_links` and `_embedded`.",
            since="0.60.0",
            evidence="[CODE application.yml serialization-inclusion; PUBLIC #65592]",
        ),
        Behaviour(
            "constraints_are_conflicts",
            "A broken constraint of the database, such as state for an unknown connection, is a 409; before, a 500.",
            since="1.3.0",
            evidence="[CODE ApiHelper.kt v1.3.0]",
            client="Reads whether the connection exists.",
        ),
        Behaviour(
            "explicit_nulls",
            "Responses spell out null fields; later they leave them out.",
            until="0.39.9",
            evidence="[CODE airbyte-api/build.gradle c3170f9240; INFER in errors]",
        ),
        Behaviour(
            "unknown_source_is_500",
            "An unknown id on `sources/get` is a 500.",
            until="0.40.18",
            evidence="[PUBLIC #19417; CODE 066f19b84c]",
        ),
        Behaviour(
            "workspace_of_unknown_connection_is_500",
            "An unknown id on `workspaces/get_by_connection_id` is a 500.",
            until="0.50.30",
            evidence="[CODE 45f32bfaab]",
        ),
        Behaviour(
            "locked_refuses_updates",
            "An update of a locked connection is refused with a 409.",
            since="2.1.0",
            evidence="[CODE api-problems.yaml]",
            client="Says that the connection is locked, and why.",
        ),
        Behaviour(
            "delete_returns_200",
            "`connections/delete` returns 200 without a body instead of 204.",
            since="0.40.28",
            until="0.40.29",
            evidence="[CODE 02e0258948; b9de100058:94]",
        ),
    ),
    "Authentication": (
        Behaviour(
            "basic_proxy",
            "Docker compose puts a proxy with HTTP Basic before everything, `health` included.",
            since="0.40.16",
            until="0.64.0",
            evidence="[CODE airbyte-proxy/nginx-auth.conf.template:12; PUBLIC #19414]",
            setup="Basic proxy",
        ),
        Behaviour(
            "community_checks_tokens",
            "The community edition can check tokens, and issues them for the client id and secret of its admin.",
            since="0.63.9",
            evidence="[CODE b072cfeae6]",
            setup="community",
        ),
        Behaviour(
            "keycloak",
            "Pro and Enterprise check tokens of Keycloak.",
            since="0.50.0",
            until="2.4.0",
            evidence="[CODE v0.50.31; DOC 2.4]",
            setup="Keycloak",
        ),
        Behaviour(
            "keycloak_applications",
            "Pro and Enterprise issue tokens for the client id and secret of an application.",
            since="0.50.38",
            until="2.4.0",
            evidence="[SPEC applications/token; DOC 2.4]",
            setup="Keycloak",
        ),
        Behaviour(
            "database_applications",
            "With `airbyte.applications.type=database` applications and their secrets are in the database.",
            since="1.5.0",
            evidence="[CODE ApplicationServiceDataImpl.kt v1.5.0]",
            setup="database",
        ),
        Behaviour(
            "security_errors_are_empty",
            "401 and 403 have no body; later they have the framework's own.",
            until="0.52.0",
            evidence="[CODE micronaut-security 3.11.1, v4.6.9:103]",
            setup="token check",
        ),
        Behaviour(
            "challenges_with_basic",
            "A 401 has `WWW-Authenticate: Basic`, although tokens are wanted.",
            since="1.3.0",
            until="2.2.0",
            evidence="[CODE bb5b27d741; INFER the first release]",
            setup="community, database",
        ),
        Behaviour(
            "community_takes_basic",
            "The e-mail and password of the admin are accepted as HTTP Basic.",
            since="0.63.9",
            until="2.2.0",
            evidence="[INFER the range; DOC 2.2]",
            setup="community",
            client="Names 2.2 and client credentials when Basic is refused.",
        ),
        Behaviour(
            "tokens_live_a_day",
            "Tokens live 24 hours; before, 3 minutes.",
            since="1.5.0",
            until="1.6.0",
            evidence="[CODE ApplicationServiceDataImpl.kt v1.5.0]",
            setup="community, database",
        ),
        Behaviour(
            "tokens_live_15_minutes",
            "Tokens live 15 minutes unless `AB_AIRBYTE_AUTH_TOKEN_EXPIRATION_APPLICATION` says otherwise.",
            since="1.6.0",
            evidence="[CODE application.yml v1.8.0]",
            setup="token check",
            client="Reads how long a token lives in the token.",
        ),
        Behaviour(
            "expires_in_is_180",
            "The public token endpoint says `expires_in: 180`, however long the token lives.",
            until="1.6.0",
            evidence="[CODE ApplicationServiceDataImpl.kt v1.5.0]",
            setup="token check",
            client="The same.",
        ),
        Behaviour(
            "token_endpoint_times_out",
            "`/api/v1/applications/token` gives up after a second, with a 408.",
            since="1.6.0",
            evidence="[CODE api-problems.yaml]",
            setup="token check",
            client="Requests it again.",
        ),
        Behaviour(
            "public_token_endpoint_times_out",
            "`/api/public/v1/applications/token` gives up after a second, with a 408.",
            since="2.0.0",
            evidence="[CODE api-problems.yaml]",
            setup="token check",
        ),
        Behaviour(
            "keycloak_refusal_breaks",
            "Wrong client credentials are a 500; before, a 401.",
            since="0.64.2",
            until="2.2.0",
            evidence="[CODE d97fc2a986; INFER the 401]",
            setup="Keycloak",
        ),
        Behaviour(
            "keycloak_refusal_is_opaque",
            "Wrong client credentials are a 401 with an `errorId` alone.",
            since="2.2.0",
            until="2.4.0",
            evidence="[CODE InvalidClientCredentialsExceptionHandler.kt]",
            setup="Keycloak",
        ),
        Behaviour(
            "edition_is_enterprise",
            "`instance_configuration` calls the edition `enterprise`; before, `pro`.",
            since="1.6.0",
            evidence="[CODE AuthConfigs.kt v1.5.0, v1.6.0]",
            setup="Keycloak",
        ),
        Behaviour(
            "one_workspace_per_request",
            "A request that names things of several workspaces is refused with a 403.",
            since="2.4.0",
            evidence="[DOC 2.4; UNPROVEN for whom and for which ids]",
            setup="token check",
            client="Requests each workspace by itself.",
        ),
    ),
    "Starting and cancelling jobs": (
        Behaviour(
            "old_scheduler",
            "A sync or reset of a busy connection returns the job that runs already.",
            until="0.39.0",
            evidence="[CODE DefaultSchedulerJobClient.createOrGetActiveSyncJob 0.35.0]",
            client="Checks the type and the age of the job that it gets.",
        ),
        Behaviour(
            "running_is_a_failure",
            "A sync of a connection that runs already is a 500; later, a 409.",
            since="0.39.0",
            until="0.39.38",
            evidence="[CODE SchedulerHandler.java 0.39.0; PUBLIC #10215]",
            client="Searches for the job that runs, and attaches to it or says so.",
        ),
        Behaviour(
            "sync_of_unknown_hangs",
            "A sync of an unknown connection never gets a response; later it is a 404.",
            since="0.39.0",
            until="0.40.24",
            evidence="[PUBLIC #19639]",
        ),
        Behaviour(
            "only_active_connections_sync",
            "A sync of a connection that is not active is a 500.",
            since="0.43.2",
            evidence="[CODE 275fb43fe1]",
            client="Reads the status, and says that the connection is inactive, locked or deleted.",
        ),
        Behaviour(
            "backoff_is_idle",
            "Between two attempts nothing counts as running: a sync joins the job, a cancel is ignored.",
            until="0.50.12",
            evidence="[CODE 2dd1037794]",
            client="Cancels again until the job has ended.",
        ),
        Behaviour(
            "idle_cancel_fails",
            "A cancel of a connection on which nothing runs is a 500; before, it is a 200 that does nothing.",
            since="0.40.7",
            evidence="[CODE TemporalClient.startNewCancellation, StreamResetRecordsHelper v0.40.32, HEAD; "
            "INFER the first release]",
            client="Never cancels a job that has ended; after a 500 it reads the job.",
        ),
        Behaviour(
            "cancelled_runs_start_again",
            "The next run of a basic schedule counts from the last job that was not cancelled: a scheduled run that is "
            "cancelled starts again at once.",
            until="1.4.0",
            evidence="[CODE ConfigFetchActivityImpl:115 v0.40.32, :150 v1.0.0, v1.3.0; PUBLIC #16905, #8808]",
        ),
        Behaviour(
            "inactive_runs_move_nothing",
            "A run of an inactive or locked connection (a reset, a refresh) ends as it begins, and moves nothing.",
            since="0.40.29",
            evidence="[CODE SyncWorkflowImpl.java:98 v0.40.32, SyncWorkflowV2Impl.kt:70 v1.8.0; INFER since when]",
            client="Refuses a reset or refresh of a connection that is not active before it is sent.",
        ),
        Behaviour(
            "inactive_runs_are_cancelled",
            "The job of an inactive connection ends as `cancelled`; before, as `succeeded` with 0 records.",
            since="0.58.1",
            evidence="[CODE 6afdb533df; TEST ConnectionManagerWorkflowTest reportsCancelledWhenConnectionDisabled]",
            client="The same.",
        ),
        Behaviour(
            "resets_are_stored",
            "A reset is stored before it starts, until its job has succeeded or was cancelled by `jobs/cancel`. After "
            "a reset that failed, the next run, a sync too, is that reset again.",
            since="0.39.1",
            evidence="[CODE V0_39_1_001__CreateStreamReset, SchedulerHandler.kt:501 HEAD; PUBLIC #55770]",
        ),
        Behaviour(
            "reset_waits_for_pending",
            "A reset while a job is `pending` comes after that job, and its request gets no response until then; "
            "before, the pending job fails and the reset starts at once.",
            since="2.1.0",
            evidence="[CODE 816d57af83; ConnectionManagerWorkflowImpl.kt v1.8.0; INFER before]",
        ),
        Behaviour(
            "no_streams_are_all_streams",
            "A reset of an empty list of streams resets all of them; before, nothing was reset and a sync ran.",
            since="0.63.2",
            evidence="[CODE 402e699f69; INFER before]",
        ),
        Behaviour(
            "resets_are_whole",
            "`web_backend/connections/update` resets the whole connection and syncs it; later, what changed.",
            until="0.39.36",
            evidence="[SPEC WebBackendConnectionUpdate.skipReset]",
        ),
        Behaviour(
            "updates_return_at_once",
            "`web_backend/connections/update` does not wait for the reset or refresh that it starts. Before, it waits, "
            "and a sync follows the reset.",
            since="0.58.0",
            evidence="[CODE d414268acf; runSyncImmediately v0.57.4]",
        ),
        Behaviour(
            "updates_refresh",
            "What an update changed is refreshed (mode Merge) where the destination supports that, and reset where "
            "not. Before, it is always reset.",
            since="0.61.0",
            evidence="[CODE 0f5416b37d; WebBackendConnectionsHandler:670 v0.63.0]",
        ),
        Behaviour(
            "stateless_updates_reset_all",
            "An update that changes a stream resets all streams of a connection that has no state, or one blob of it.",
            until="0.60.0",
            evidence="[CODE WebBackendConnectionsHandler v0.40.32; 0294968679]",
        ),
        Behaviour(
            "refreshes_need_a_flag",
            "`connections/refresh` does nothing without the flag `platform.activate-refreshes`, which is off, and "
            "checks nothing else; later it needs a destination that supports refreshes.",
            until="0.62.2",
            evidence="[CODE FlagDefinitions.kt:191 v0.57.4; 84a6845a65]",
        ),
        Behaviour(
            "busy_refresh_fails",
            "A refresh while a job runs is a 500, although it is stored, and the next run takes it. Before, it is "
            '`{"value": true}`, and later `{}`.',
            since="0.63.9",
            until="1.4.0",
            evidence="[CODE StreamRefreshesHandler.kt:63 v1.0.0; TEST StreamRefreshesHandlerTest verifyOrder]",
        ),
        Behaviour(
            "refresh_reads_its_job",
            "A refresh that gets a job of another kind, such as a pending sync, is a 500, although it is stored.",
            since="0.63.9",
            evidence="[CODE StreamRefreshesHandler.kt v1.0.0, HEAD; INFER the exception]",
        ),
        Behaviour(
            "refresh_returns_a_job",
            "`connections/refresh` returns `{job}`; before, `{value}`.",
            since="1.2.0",
            evidence="[SPEC connections/refresh]",
            client="Takes a missing job for no response: searches the list of jobs for the refresh of jobs.",
        ),
    ),
    "State": (
        Behaviour(
            "typed_state",
            "State has a type and rows for each stream; before, it was one blob.",
            since="0.39.21",
            evidence="[SPEC ConnectionState]",
            client="Neither restores nor compares state before.",
        ),
        Behaviour(
            "attempts_forget_state",
            "The first attempt of a job deletes the state of what it reads again: full refreshes, refreshed streams, "
            "reset streams. Later ones delete that of full refreshes that they cannot resume. Before, a reset deletes "
            "state while it runs.",
            since="0.62.0",
            evidence="[CODE AttemptHandler v0.62.0, AttemptHandler.kt:154-190 HEAD]",
            client="Refuses what would lose state where nothing is moved.",
        ),
        Behaviour(
            "attempts_forget_full_refreshes",
            "Each attempt of a sync or refresh deletes the state of full refreshes.",
            since="0.58.0",
            until="0.62.0",
            evidence="[CODE AttemptHandler v0.61.0; 55b5d24016]",
        ),
        Behaviour(
            "refreshes_forget_when_created",
            "A refresh deletes the state of its streams as soon as its job is created.",
            until="0.62.0",
            evidence="[CODE RefreshJobStateUpdater, DefaultJobCreator v0.57.4]",
        ),
        Behaviour(
            "all_rows_erase_the_state",
            "Where exactly the streams that have state lose it, the shared state of a global one goes, too.",
            since="0.63.2",
            evidence="[CODE b10a9f89c9; StatePersistence.bulkDelete:128 v1.0.0]",
        ),
        Behaviour(
            "all_streams_erase_the_state",
            "Where exactly the streams of the catalog lose their state, all of it goes: orphans and shared state, too.",
            since="1.8.0",
            evidence="[CODE 9bf8e1d02e; PUBLIC #82266]",
        ),
        Behaviour(
            "changed_modes_forget_state",
            "An update that changes a stream's sync mode deletes its state.",
            since="1.8.0",
            evidence="[CODE ConnectionsHandler v1.8.0]",
        ),
    ),
    "Lists and logs": (
        Behaviour(
            "lists_the_whole_instance",
            "`jobs/list` without `configId` lists the jobs of the whole instance.",
            since="0.50.46",
            evidence="[SPEC JobListRequestBody]",
        ),
        Behaviour(
            "counts_filtered_jobs",
            "`totalJobCount` honours the filters.",
            since="0.50.35",
            evidence="[CODE DefaultJobPersistence]",
            client="Does not use the count.",
        ),
        Behaviour(
            "end_filters_are_starts",
            "The `End` filters of `jobs/list` keep what is newer instead of older.",
            since="0.50.18",
            until="0.50.33",
            evidence="[CODE DefaultJobPersistence v0.50.31; df6097b705]",
            client="Sends `End` filters since 0.50.35 only.",
        ),
        Behaviour(
            "end_filters_of_workspaces_are_starts",
            "The `End` filters of `jobs/list_for_workspaces` keep what is newer instead of older.",
            since="0.50.18",
            until="0.50.35",
            evidence="[CODE DefaultJobPersistence v0.50.31; b92b765507]",
            client="The same.",
        ),
        Behaviour(
            "order_is_within_the_page",
            "`orderByField` sorts the jobs of a page only; which jobs these are goes by `createdAt`, newest first.",
            since="0.50.18",
            until="0.57.3",
            evidence="[CODE DefaultJobPersistence:784,822 v0.50.31; 883b662a12]",
            client="Does not end a walk early by the order.",
        ),
        Behaviour(
            "pages_counted_attempts_once",
            "Pages of both lists of jobs count rows of job and attempt: a page may have fewer jobs than requested, the "
            "last job of a page may lack attempts, and comes again on the next one.",
            since="0.57.3",
            until="0.58.0",
            evidence="[CODE DefaultJobPersistence:897 v0.57.3; 883b662a12, 1b44d63919]",
            client="Walks to an empty page, takes jobs together by id, and reads the attempts of the last one again.",
        ),
        Behaviour(
            "pages_count_attempts",
            "Pages of `jobs/list` count rows of job and attempt in the same way; those of `jobs/list_for_workspaces` "
            "count jobs.",
            since="0.64.2",
            until="1.3.0",
            evidence="[CODE 805247b37a; micronaut-data v4.9.3 attachPageable; deps.toml v1.3.0]",
            client="The same.",
        ),
        Behaviour(
            "offsets_count_pages",
            "`rowOffset` of job lists is rounded down to a whole page.",
            since="0.64.2",
            evidence="[CODE 805247b37a]",
            client="Requests whole pages.",
        ),
        Behaviour(
            "workspace_lists_are_light",
            "Attempts in `jobs/list_for_workspaces` have no `bytesSynced` and `recordsSynced`.",
            since="0.63.1",
            evidence="[CODE 16950feb24; JobHistoryHandler.listJobsForWorkspaces v1.8.0]",
        ),
        Behaviour(
            "statistics_have_tables",
            "Lists of jobs and `jobs/get_debug_info` have statistics of running attempts too, and namespaces. Before, "
            "and elsewhere, statistics come with the end of an attempt, without namespaces.",
            since="0.40.27",
            evidence="[CODE JobHistoryHandler.hydrateWithStats v0.40.32; JobConverter.getAttemptRead v1.8.0]",
        ),
        Behaviour(
            "lists_have_totals",
            "Jobs in lists have totals. Of a full refresh these are of the last attempt and of those that it resumed.",
            since="0.50.55",
            evidence="[CODE 896580c4e0; StatsAggregationHelper.kt:61]",
        ),
        Behaviour(
            "reads_without_logs_have_totals",
            "The job of `jobs/get_without_logs` has totals, too.",
            since="0.52.0",
            evidence="[CODE JobHistoryHandler.getJobInfoWithoutLogs v0.52.0]",
        ),
        Behaviour(
            "progress_is_not_made",
            "`connections/sync_progress` is declared and returns nothing: a 404 like that of a missing path.",
            until="0.61.0",
            evidence="[CODE ConnectionApiController.java:216 v0.57.4; INFER the 404]",
        ),
        Behaviour(
            "progress_shows_syncs_only",
            "`connections/sync_progress` does not show resets.",
            until="0.63.2",
            evidence="[CODE ConnectionsHandler:316 v0.61.0; DefaultJobPersistence.getRunningJobForConnection v1.0.0]",
        ),
        Behaviour(
            "listed_jobs_are_syncs",
            "`isSyncing` in `web_backend/connections/list` says that the newest sync is `running`, and "
            "`latestSyncJob...` are about syncs alone. Before, and in `web_backend/connections/get`, they are about "
            "refreshes too, and a job that has not ended is syncing.",
            since="1.8.0",
            evidence="[CODE WebBackendConnectionsHandler.kt:344 v1.8.0, .java:310 v1.7.0]",
        ),
        Behaviour(
            "cursor_pages",
            "Lists of connections, sources and destinations have pages of 20 and a cursor.",
            since="1.8.0",
            evidence="[SPEC WebBackendConnectionListRequestBody, ActorListCursorPaginatedRequestBody]",
            client="Reads all pages, by name.",
        ),
        Behaviour(
            "lists_have_items",
            "`web_backend/connections/list` has short items; before, whole connections.",
            since="0.40.10",
            evidence="[SPEC WebBackendConnectionReadList]",
        ),
        Behaviour(
            "structured_logs",
            "Logs are events with a level and a source instead of lines.",
            since="1.2.0",
            evidence="[SPEC AttemptInfoRead]",
            client="Reads both.",
        ),
    ),
    "Catalogs and discovery": (
        Behaviour(
            "stream_updates_are_objects",
            "`updateStream` of a catalog's differences is an object with changes of fields and attributes; before, a "
            "list of changes of fields.",
            since="0.59.0",
            evidence="[SPEC StreamTransform]",
        ),
        Behaviour(
            "new_streams_are_selected",
            "A stream that is discovered is offered as selected; later, only one that is alone.",
            until="0.50.0",
            evidence="[CODE CatalogConverter:133 v0.40.32, :262 v0.50.31; 3289f70a1b]",
        ),
        Behaviour(
            "new_streams_are_appended",
            "A stream that is discovered is offered with the first of its modes, and appended. Later, with what its "
            "cursor and key allow.",
            until="0.50.24",
            evidence="[CODE CatalogConverter:133 v0.40.32; 63e9af2120]",
        ),
        Behaviour(
            "selections_are_spelt_out",
            "A catalog says `suggested: false` and `selectedFields: []` of streams of which nothing is selected.",
            since="0.60.0",
            evidence="[CODE 6c3cce988b; CatalogConverter:88 v1.0.0]",
        ),
        Behaviour(
            "mappers_hide_secrets",
            "Secrets of mappers come back masked.",
            since="1.3.0",
            evidence="[CODE 99c1106748; INFER which settings]",
        ),
        Behaviour(
            "discovery_concerns_one_connection",
            "A discovery that names a connection marks that one, and may switch it off; before, every connection of "
            "its source.",
            since="1.7.0",
            evidence="[CODE SchedulerHandler.java:398 v0.40.32, SchedulerHandler.kt v1.8.0]",
        ),
        Behaviour(
            "refreshed_catalog_is_optional",
            "`web_backend/connections/get` with a refreshed catalog succeeds although the discovery failed.",
            since="2.2.0",
            evidence="[DOC 2.2]",
        ),
    ),
}
BEHAVIOUR_BY_NAME = {row.name: row for rows in BEHAVIOURS.values() for row in rows}
