/* SPDX-License-Identifier: PostgreSQL */
#pragma once

/*
 * From SQLSTATE to category: the one table, by class or by code. Decisions are made on
 * SQLSTATE, never on message text (the server speaks the language that lc_messages
 * says).
 */

#include "base/err.h"

/*
 * 42601 SQL_SYNTAX_ERROR; 42501 and class 28 PERMISSION_DENIED; class 08, 53300,
 * 57P01-57P03, 57P05 NETWORK_ERROR; 55P03, 40P01 LOCK_TIMEOUT; 57014 STATEMENT_TIMEOUT
 * (the caller turns it into CANCELLED when it asked for a cancel); 25006 NETWORK_ERROR
 * (a standby or read-only server: another server may take it); others SQL_ERROR.
 */
enum category sqlstate_category(const char *sqlstate);
