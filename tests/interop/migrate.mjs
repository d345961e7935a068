// SPDX-License-Identifier: PostgreSQL
//
// drizzle-orm's own migrator as a command, so that a test can put it beside
// migrationd on the same folder:
//
//   node migrate.mjs DATABASE_URL FOLDER [--schema S] [--table T]
//                    [--driver pg|postgres] [--drizzle 0|1]
//
// 1 is drizzle-orm 1.0, from the folder drizzle1; 0 is 0.x.
// Exit 0 when migrate() resolves; otherwise the error with its SQLSTATE (or
// "-" when the server was not the one to complain) on stderr, and exit 1.
import { createRequire } from "node:module";
import { parseArgs } from "node:util";

const { values, positionals } = parseArgs({
    allowPositionals: true,
    options: {
        schema: { type: "string" },
        table: { type: "string" },
        driver: { type: "string", default: "pg" },
        drizzle: { type: "string", default: "0" },
    },
});
const [url, folder] = positionals;
if (!folder || !["pg", "postgres"].includes(values.driver) ||
    !["0", "1"].includes(values.drizzle)) {
    console.error("usage: migrate.mjs DATABASE_URL FOLDER [--schema S] " +
        "[--table T] [--driver pg|postgres] [--drizzle 0|1]");
    process.exit(64);
}
const base = values.drizzle === "1" ? "./drizzle1/" : "./";
const require = createRequire(new URL(base, import.meta.url));

function open_pg() {
    const { Pool } = require("pg");
    const { drizzle } = require("drizzle-orm/node-postgres");
    const { migrate } = require("drizzle-orm/node-postgres/migrator");
    const pool = new Pool({ connectionString: url, max: 1 });
    return { db: drizzle({ client: pool }), migrate, close: () => pool.end() };
}

function open_postgres() {
    const postgres = require("postgres");
    const { drizzle } = require("drizzle-orm/postgres-js");
    const { migrate } = require("drizzle-orm/postgres-js/migrator");
    const sql = postgres(url, { max: 1, onnotice: () => {} });
    return { db: drizzle({ client: sql }), migrate, close: () => sql.end() };
}

const client = values.driver === "pg" ? open_pg() : open_postgres();
try {
    await client.migrate(client.db, {
        migrationsFolder: folder,
        ...(values.schema === undefined ? {} : { migrationsSchema: values.schema }),
        ...(values.table === undefined ? {} : { migrationsTable: values.table }),
    });
} catch (error) {
    const cause = error.cause ?? error;
    console.error(`${cause.code ?? "-"} ${cause.message}`);
    process.exitCode = 1;
} finally {
    await client.close();
}
