-- Roles of the demo's CRM. They belong to the server: running this again, also at the same time from
-- another database, changes nothing.
DO $$
DECLARE
  role_name text;
  role_password text;
BEGIN
  FOR role_name, role_password IN
    VALUES ('app_reader', 'reader-demo-password'),
           ('app_writer', 'writer-demo-password'),
           ('app_admin', 'admin-demo-password')
  LOOP
    IF NOT EXISTS (SELECT FROM pg_catalog.pg_roles WHERE rolname = role_name) THEN
      BEGIN
        SET LOCAL password_encryption = 'scram-sha-256';
        EXECUTE format('CREATE ROLE %I LOGIN PASSWORD %L', role_name, role_password);
      EXCEPTION WHEN duplicate_object OR unique_violation THEN
        NULL; -- another database of the same server was faster
      END;
    END IF;
  END LOOP;
END
$$;
