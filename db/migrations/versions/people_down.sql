-- Undoes people.sql. People's own tables go with what is known of them: nobody could say any more
-- whose they are. Their roles belong to the whole server and stay, without anything to read.
DO $$
DECLARE
  t record;
BEGIN
  FOR t IN SELECT schemaname, tablename FROM service.persontable LOOP
    EXECUTE format('DROP TABLE IF EXISTS %I.%I', t.schemaname, t.tablename);
  END LOOP;
  FOR t IN SELECT 'mydb_' || personname AS schemaname FROM service.person LOOP
    EXECUTE format('DROP SCHEMA IF EXISTS %I', t.schemaname);
  END LOOP;
END $$;
DROP TABLE service.tableshare;
DROP TABLE service.persontable;
DROP TABLE service.persongroup;
DROP TABLE service.personcolumn;
DROP TABLE service.groupmember;
DROP TABLE service.allocation;
DROP TABLE service.accesstoken;
DROP TABLE service.person;
DROP FUNCTION service.refuse_unsealed();
DROP FUNCTION service.refuse_change();
