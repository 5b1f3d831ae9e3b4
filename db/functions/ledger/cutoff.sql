-- cutoff: the latest instant that a role under embargo may know of, the present less the longest
-- delay set for it or for a role it belongs to (design section 5). Without a role: of the session,
-- of which both the login and the role it has set count, so that neither frees from the other.
-- Belongs to a transaction: it stands still until the next. Only the owner can move its clock.
-- needs: science.utc_to_tai
CREATE OR REPLACE FUNCTION ledger.cutoff(in_role name DEFAULT NULL)
RETURNS timestamp
LANGUAGE plpgsql STABLE PARALLEL SAFE SECURITY DEFINER SET search_path = pg_catalog
AS $$
DECLARE
  roles name[] := ARRAY[coalesce(in_role, session_user)];
  hours double precision;
  moved interval := '0';
BEGIN
  IF NOT EXISTS (SELECT FROM ledger.embargo) THEN
    RETURN NULL;
  END IF;
  IF in_role IS NULL AND current_setting('role') <> 'none' THEN
    roles := roles || current_setting('role')::name;
  END IF;
  -- Memberships are followed here: pg_has_role counts a superuser into every role. Those of the
  -- login behind which people ask are not: it is a member of every person and inherits nothing.
  WITH RECURSIVE mine(role) AS (
    SELECT oid FROM pg_roles WHERE rolname = ANY(roles)
    UNION
    SELECT m.roleid FROM mine JOIN pg_auth_members AS m ON m.member = mine.role
    WHERE m.member IS DISTINCT FROM to_regrole('skyledger_member')
  )
  SELECT max(e.delayhours) INTO hours
  FROM ledger.embargo AS e JOIN pg_roles AS r ON r.rolname = e.rolename JOIN mine ON mine.role = r.oid;
  IF pg_has_role(session_user, current_user, 'MEMBER') THEN
    moved := coalesce(nullif(current_setting('skyledger.clock_offset', true), ''), '0')::interval;
  END IF;
  RETURN science.utc_to_tai(transaction_timestamp() AT TIME ZONE 'UTC' + moved)
    - hours * interval '1 hour';
END $$;

COMMENT ON FUNCTION ledger.cutoff(name)
IS 'Latest instant (TAI) a role under embargo may know of, by default the session''s; NULL without an embargo.';
