/* SPDX-License-Identifier: PostgreSQL */
#pragma once

/*
 * The signature of a webhook, as Standard Webhooks 1.0 has it: HMAC-SHA256 over
 * "ID.TIMESTAMP.BODY", for each secret that counts at the moment.
 *
 *	webhook-id: msg_01a1f884-...          the same at each try
 *	webhook-timestamp: 1763618292         of the try
 *	webhook-signature: v1,K5oZfzN95Z9UVu1EsfQmfVNQhnkZ2pj9o9NDN/H/pI4=
 */

#include <stdint.h>

#include "base/err.h"

/*
 * The value of webhook-signature, owned by `ctx`. `secrets` is the line of webhook_secret_file:
 * "whsec_" and Base64 of 24 to 64 bytes; while one is being replaced two, with a blank between.
 * CONFIGURATION that does not quote it when it is something else.
 */
int webhook_sign(const void *ctx, const char *secrets, const char *id, int64_t timestamp,
    const char *body, char **signature, struct err *err) MUST_CHECK;

/*
 * Whether it may be sent there: CONFIGURATION when not. https, or http to this machine.
 */
int webhook_check_url(const char *url, struct err *err) MUST_CHECK;

/* Scheme and host, which is all of it that may be shown: paths and users are often secrets. */
char *webhook_place(const void *ctx, const char *url);
