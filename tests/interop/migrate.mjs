// SPDX-License-Identifier: PostgreSQL
//
// drizzle-orm's own migrator as a command, so that a test can put it beside
// migrationd on the same folder:
//
//   node migrate.mjs DATABASE_URL FOLDER [--schema S] [--table T]
//                    [--driver pg|postgres]
//
// Exit 0 when migrate() resolves; otherwise the error with its SQLSTATE (or
// "-" when the server was not the one to complain) on stderr, and exit 1.
import { parseArgs } from "node:util";

const { values, positionals } = parseArgs({
    allowPositionals: true,
    options: {
        schema: { type: "string" },
        table: { type: "string" },
        driver: { type: "string", default: "pg" },
    },
});
const [url, folder] = positionals;
if (!folder || !["pg", "postgres"].includes(values.driver)) {
    console.error("usage: migrate.mjs DATABASE_URL FOLDER [--schema S] " +
        "[--table T] [--driver pg|postgres]");
    process.exit(64);
}

async function open_pg() {
    const { Pool } = (await import("pg")).default;
    const { drizzle } = await import("drizzle-orm/node-postgres");
    const { migrate } = await import("drizzle-orm/node-postgres/migrator");
    const pool = new Pool({ connectionString: url, max: 1 });
    return { db: drizzle(pool), migrate, close: () => pool.end() };
}

async function open_postgres() {
    const postgres = (await import("postgres")).default;
    const { drizzle } = await import("drizzle-orm/postgres-js");
    const { migrate } = await import("drizzle-orm/postgres-js/migrator");
    const sql = postgres(url, { max: 1, onnotice: () => {} });
    return { db: drizzle(sql), migrate, close: () => sql.end() };
}

const client = values.driver === "pg" ? await open_pg() : await open_postgres();
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
