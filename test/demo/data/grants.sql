-- Rights of the demo's roles in one database: read, read and write, and own. Least privilege twice:
-- the gateway's policy decides first, these grants hold behind it.
BEGIN;
REVOKE CREATE ON SCHEMA public FROM PUBLIC;
GRANT USAGE ON SCHEMA public TO app_reader, app_writer, app_admin;
GRANT SELECT ON ALL TABLES IN SCHEMA public TO app_reader, app_writer;
GRANT INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA public TO app_writer;
REVOKE INSERT, UPDATE, DELETE ON public.employees FROM app_writer;
GRANT USAGE ON ALL SEQUENCES IN SCHEMA public TO app_writer;
GRANT CREATE ON SCHEMA public TO app_admin;
GRANT ALL ON ALL TABLES IN SCHEMA public TO app_admin;
GRANT ALL ON ALL SEQUENCES IN SCHEMA public TO app_admin;
COMMIT;
