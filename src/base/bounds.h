/* SPDX-License-Identifier: PostgreSQL */
#pragma once

/*
 * Every maximum in one place. Whatever comes from outside (a file, a client, the
 * server) is measured against one of these before it is kept; what does not fit
 * is refused with a message that names the bound.
 */

/* Folder */
/* one migration; pg_dump baselines reach tens of MB */
#define BOUND_FILE_BYTES      (64u << 20)
#define BOUND_FOLDER_BYTES    (512u << 20) /* all migrations of one folder */
#define BOUND_FOLDER_FILES    20000u       /* directory entries looked at */
#define BOUND_WATCHED_FOLDERS 256u /* in it; what changes in others, the timer finds */
#define BOUND_JOURNAL_BYTES   (16u << 20)  /* meta/_journal.json */
#define BOUND_SNAPSHOT_BYTES  (32u << 20)  /* one snapshot of a generator */
#define BOUND_SNAPSHOTS_BYTES (256u << 20) /* all that one check looks at */
/* read and hashed for a check in one turn of the loop: some milliseconds */
#define BOUND_CHECK_TURN_BYTES (1u << 20)
#define BOUND_CHECK_FINDINGS   1000u /* of a check, of each severity; the rest is counted */
/* one migration's id: longer ones fit no screen */
#define BOUND_NAME_BYTES      200u
#define BOUND_FOLDER_PROBLEMS 200u /* problems listed; the rest is counted */
/* of a file that is not sent in one piece: some 50 MB of them */
#define BOUND_SCRIPT_STATEMENTS 200000u
#define BOUND_SCRIPT_SETTINGS   (64u << 10) /* its SET statements */
#define BOUND_PLAN_PROBLEMS     400u        /* the folder's, and as many of its own */

/* Database */
#define BOUND_HISTORY_ROWS    200000u /* rows read from a tracking table */
#define BOUND_NOTICES_PER_RUN 1000u   /* notices logged in one run; the rest is counted */
#define BOUND_ADDRESSES       32u /* addresses of the hosts of one connection string */
#define BOUND_RUN_BYTES \
	(8u << 20)           /* the migrations of one run, as the journal keeps them */
#define BOUND_SQL (1u << 20) /* a bookkeeping statement of ours */
/* naming each row of a tracking table: some 50,000 of them */
#define BOUND_UPGRADE_BYTES (16u << 20)

#define BOUND_SCHEMA_ITEMS 500000u      /* tables, columns ... of a database */
#define BOUND_SCHEMA_BYTES (128u << 20) /* and their definitions */
#define BOUND_DRIFT        100u         /* differences told; the rest is counted */

/* Runs */
#define BOUND_RUNS_KEPT 100u /* finished runs kept in memory for /runs */

/* HTTP */
#define BOUND_BODY_BYTES        (64u << 10) /* request body */
#define BOUND_REASON_BYTES      1024u       /* why, in the words of who asks */
#define BOUND_TARGET_BYTES      4096u       /* request target, raw */
#define BOUND_CONNECTION_BYTES  (16u << 10) /* libmicrohttpd's memory for one connection */
#define BOUND_CONNECTIONS       256u        /* API listener */
#define BOUND_PROBE_CONNECTIONS 64u         /* probe listener */
/* below BOUND_CONNECTIONS, so that /status still gets in */
#define BOUND_PARKED_REQUESTS 192u
/* below that, so that who waits for a migration leaves room for who applies it */
#define BOUND_WAITING_REQUESTS 128u
#define BOUND_REPLY_BYTES      (64u << 20) /* a rendered answer */

/* Configuration and log */
#define BOUND_CONFIG_BYTES  (1u << 20) /* the configuration file */
#define BOUND_CONFIG_VALUE  8192u
#define BOUND_SECRET_BYTES  8192u /* token or password file */
#define BOUND_LISTENERS     8u
#define BOUND_WEBHOOK_URLS  8u
#define BOUND_WEBHOOKS      100u        /* messages that wait */
#define BOUND_WEBHOOK_POSTS 8u          /* on their way at once */
#define BOUND_ANSWER_BYTES  (64u << 10) /* of a receiver, read and dropped */
#define BOUND_HOOKS         16u         /* hooks that wait for their turn */
#define BOUND_HOOK_LINES    100u        /* lines of each of its outputs that are logged */
/* kept of what a command of the operator prints; the rest is read and dropped */
#define BOUND_CHILD_OUTPUT (16u << 10)
/* A pipe takes PIPE_BUF bytes in one piece or not at all, so a line is never torn. */
#define BOUND_LOG_LINE 4096u
