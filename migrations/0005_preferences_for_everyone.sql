-- Custom SQL migration file, put your code below! --

-- The account that owns the documents every installation starts with.
INSERT INTO "users" ("email", "name") VALUES ('library@example.com', 'Library');
--> statement-breakpoint
INSERT INTO "documents" ("owner_id", "title", "body", "status")
SELECT "id", 'Welcome', 'Start here; it''s short.', 'published'
FROM "users" WHERE "email" = 'library@example.com';
--> statement-breakpoint
-- Accounts older than the preferences table get its defaults.
INSERT INTO "preferences" ("user_id")
SELECT "id" FROM "users"
ON CONFLICT ("user_id") DO NOTHING;
--> statement-breakpoint
-- What was published before the column existed counts as published when made.
UPDATE "documents" SET "published_at" = "created_at"
WHERE "status" = 'published' AND "published_at" IS NULL;
