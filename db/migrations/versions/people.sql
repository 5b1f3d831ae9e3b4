-- People: who they are, what they may, and the tables of their own. Costs nothing in a full database.
CREATE TABLE service.person (
	personname TEXT NOT NULL, 
	fullname TEXT NOT NULL, 
	rolename TEXT NOT NULL, 
	createdtai TIMESTAMP WITHOUT TIME ZONE NOT NULL, 
	disabledtai TIMESTAMP WITHOUT TIME ZONE, 
	quotabytes BIGINT NOT NULL, 
	mostqueries INTEGER NOT NULL, 
	queriesperminute INTEGER NOT NULL, 
	CONSTRAINT person_pkey PRIMARY KEY (personname), 
	CONSTRAINT person_rule1 CHECK (personName ~ '^[a-z][a-z0-9_]{1,30}$'), 
	CONSTRAINT person_rule2 CHECK (roleName IN ('user', 'operator')), 
	CONSTRAINT person_values CHECK (quotabytes >= 0 AND LEAST(mostqueries, queriesperminute) >= 0)
);
COMMENT ON TABLE service.person IS 'People who may have tables of their own, and what each is allotted. Rows are never removed: what somebody did keeps his name.';
COMMENT ON COLUMN service.person.personname IS 'personName: Name of the person; the schema and the role of the database are called mydb_ and this.';
COMMENT ON COLUMN service.person.fullname IS 'fullName: Name of the person among people; may be empty.';
COMMENT ON COLUMN service.person.rolename IS 'roleName: Role of the person: user, or operator, who may also drop and unshare what others have.';
COMMENT ON COLUMN service.person.createdtai IS 'createdTai: Ledger time (TAI) at which the person was added.';
COMMENT ON COLUMN service.person.disabledtai IS 'disabledTai: Ledger time (TAI) since which the person is shut out; NULL for all others.';
COMMENT ON COLUMN service.person.quotabytes IS 'quotaBytes: Room for the tables of the person. [byte]';
COMMENT ON COLUMN service.person.mostqueries IS 'mostQueries: Queries that the person may have running at the same time.';
COMMENT ON COLUMN service.person.queriesperminute IS 'queriesPerMinute: Queries that the person may begin within a minute. [min**-1]';
CREATE TABLE service.accesstoken (
	tokenhash BYTEA NOT NULL, 
	personname TEXT NOT NULL, 
	label TEXT NOT NULL, 
	createdtai TIMESTAMP WITHOUT TIME ZONE NOT NULL, 
	expirestai TIMESTAMP WITHOUT TIME ZONE NOT NULL, 
	lastusedtai TIMESTAMP WITHOUT TIME ZONE, 
	revokedtai TIMESTAMP WITHOUT TIME ZONE, 
	CONSTRAINT accesstoken_pkey PRIMARY KEY (tokenhash), 
	CONSTRAINT accesstoken_rule1 CHECK (octet_length(tokenHash) = 32), 
	CONSTRAINT accesstoken_rule2 CHECK (label ~ '^[A-Za-z0-9][A-Za-z0-9_.-]{0,62}$')
);
COMMENT ON TABLE service.accesstoken IS 'Tokens with which people sign in. A token is shown once, when it is made; only its SHA-256 is kept.';
COMMENT ON COLUMN service.accesstoken.tokenhash IS 'tokenHash: SHA-256 of the token, 32 bytes.';
COMMENT ON COLUMN service.accesstoken.personname IS 'personName: Person who signs in with the token.';
COMMENT ON COLUMN service.accesstoken.label IS 'label: Name that tells the tokens of a person apart: laptop, topcat.';
COMMENT ON COLUMN service.accesstoken.createdtai IS 'createdTai: Ledger time (TAI) at which the token was made.';
COMMENT ON COLUMN service.accesstoken.expirestai IS 'expiresTai: Ledger time (TAI) from which on the token is worth nothing.';
COMMENT ON COLUMN service.accesstoken.lastusedtai IS 'lastUsedTai: Ledger time (TAI) at which the token was used last, to the hour.';
COMMENT ON COLUMN service.accesstoken.revokedtai IS 'revokedTai: Ledger time (TAI) at which the token was revoked; NULL if it was not.';
CREATE INDEX accesstoken_personname_label_idx ON service.accesstoken (personname, label);
CREATE TABLE service.allocation (
	personname TEXT NOT NULL, 
	changedtai TIMESTAMP WITHOUT TIME ZONE NOT NULL, 
	quotabytes BIGINT NOT NULL, 
	mostqueries INTEGER NOT NULL, 
	queriesperminute INTEGER NOT NULL, 
	changedby TEXT NOT NULL, 
	reason TEXT NOT NULL, 
	CONSTRAINT allocation_pkey PRIMARY KEY (personname, changedtai), 
	CONSTRAINT allocation_values CHECK (quotabytes >= 0 AND LEAST(mostqueries, queriesperminute) >= 0)
);
COMMENT ON TABLE service.allocation IS 'Every allocation that anybody was given, and by whom; rows are neither changed nor removed.';
COMMENT ON COLUMN service.allocation.personname IS 'personName: Person whose allocation it is.';
COMMENT ON COLUMN service.allocation.changedtai IS 'changedTai: Ledger time (TAI) since which it holds.';
COMMENT ON COLUMN service.allocation.quotabytes IS 'quotaBytes: Room for the tables of the person. [byte]';
COMMENT ON COLUMN service.allocation.mostqueries IS 'mostQueries: Queries that the person may have running at the same time.';
COMMENT ON COLUMN service.allocation.queriesperminute IS 'queriesPerMinute: Queries that the person may begin within a minute. [min**-1]';
COMMENT ON COLUMN service.allocation.changedby IS 'changedBy: Who gave the allocation.';
COMMENT ON COLUMN service.allocation.reason IS 'reason: Why it was given.';
CREATE TABLE service.groupmember (
	groupname TEXT NOT NULL, 
	personname TEXT NOT NULL, 
	addedtai TIMESTAMP WITHOUT TIME ZONE NOT NULL, 
	CONSTRAINT groupmember_pkey PRIMARY KEY (groupname, personname)
);
COMMENT ON TABLE service.groupmember IS 'Who belongs to which group.';
COMMENT ON COLUMN service.groupmember.groupname IS 'groupName: Name of the group.';
COMMENT ON COLUMN service.groupmember.personname IS 'personName: Person who belongs to it.';
COMMENT ON COLUMN service.groupmember.addedtai IS 'addedTai: Ledger time (TAI) since which the person belongs to it.';
CREATE INDEX groupmember_personname_idx ON service.groupmember (personname);
CREATE TABLE service.personcolumn (
	schemaname TEXT NOT NULL, 
	tablename TEXT NOT NULL, 
	columnname TEXT NOT NULL, 
	columnindex INTEGER NOT NULL, 
	sqlname TEXT NOT NULL, 
	sqltype TEXT NOT NULL, 
	datatype TEXT NOT NULL, 
	arraysize TEXT, 
	xtype TEXT, 
	unit TEXT, 
	ucd TEXT, 
	utype TEXT, 
	description TEXT, 
	isindexed BOOLEAN NOT NULL, 
	CONSTRAINT personcolumn_pkey PRIMARY KEY (schemaname, tablename, columnname), 
	CONSTRAINT personcolumn_values CHECK (columnindex >= 0)
);
COMMENT ON TABLE service.personcolumn IS 'Columns of the tables of people, with what their owners say of them.';
COMMENT ON COLUMN service.personcolumn.schemaname IS 'schemaName: Schema of the table.';
COMMENT ON COLUMN service.personcolumn.tablename IS 'tableName: Name of the table.';
COMMENT ON COLUMN service.personcolumn.columnname IS 'columnName: Name of the column in its own spelling.';
COMMENT ON COLUMN service.personcolumn.columnindex IS 'columnIndex: Place of the column in its table.';
COMMENT ON COLUMN service.personcolumn.sqlname IS 'sqlName: Name of the column in PostgreSQL.';
COMMENT ON COLUMN service.personcolumn.sqltype IS 'sqlType: Type of the column in PostgreSQL.';
COMMENT ON COLUMN service.personcolumn.datatype IS 'datatype: Type of the column in VOTable.';
COMMENT ON COLUMN service.personcolumn.arraysize IS 'arraysize: Size of the column in VOTable; NULL for a scalar.';
COMMENT ON COLUMN service.personcolumn.xtype IS 'xtype: Meaning of the type beyond VOTable''s own types.';
COMMENT ON COLUMN service.personcolumn.unit IS 'unit: Unit of the column, as its owner gave it.';
COMMENT ON COLUMN service.personcolumn.ucd IS 'ucd: Meaning of the column, as its owner gave it.';
COMMENT ON COLUMN service.personcolumn.utype IS 'utype: Place of the column in a data model, if it has one.';
COMMENT ON COLUMN service.personcolumn.description IS 'description: What the column holds, in words of its owner.';
COMMENT ON COLUMN service.personcolumn.isindexed IS 'isIndexed: True if an index makes conditions on the column fast.';
CREATE TABLE service.persongroup (
	groupname TEXT NOT NULL, 
	ownername TEXT NOT NULL, 
	description TEXT NOT NULL, 
	createdtai TIMESTAMP WITHOUT TIME ZONE NOT NULL, 
	CONSTRAINT persongroup_pkey PRIMARY KEY (groupname), 
	CONSTRAINT persongroup_rule1 CHECK (groupName ~ '^[a-z][a-z0-9_]{1,30}$')
);
COMMENT ON TABLE service.persongroup IS 'Groups of people with whom tables are shared.';
COMMENT ON COLUMN service.persongroup.groupname IS 'groupName: Name of the group.';
COMMENT ON COLUMN service.persongroup.ownername IS 'ownerName: Person who says who belongs to the group.';
COMMENT ON COLUMN service.persongroup.description IS 'description: What the group is for; may be empty.';
COMMENT ON COLUMN service.persongroup.createdtai IS 'createdTai: Ledger time (TAI) at which the group was made.';
CREATE TABLE service.persontable (
	schemaname TEXT NOT NULL, 
	tablename TEXT NOT NULL, 
	personname TEXT NOT NULL, 
	description TEXT NOT NULL, 
	nrows BIGINT, 
	nbytes BIGINT NOT NULL, 
	createdtai TIMESTAMP WITHOUT TIME ZONE NOT NULL, 
	sealedtai TIMESTAMP WITHOUT TIME ZONE, 
	origin TEXT NOT NULL, 
	query TEXT, 
	databasename TEXT, 
	instanttai TIMESTAMP WITHOUT TIME ZONE, 
	racolumn TEXT, 
	declcolumn TEXT, 
	CONSTRAINT persontable_pkey PRIMARY KEY (schemaname, tablename), 
	CONSTRAINT persontable_rule1 CHECK (tableName ~ '^[a-z][a-z0-9_]{0,62}$'), 
	CONSTRAINT persontable_rule2 CHECK (schemaName = 'mydb_' || personName), 
	CONSTRAINT persontable_rule3 CHECK (origin IN ('upload', 'query')), 
	CONSTRAINT persontable_rule4 CHECK ((origin = 'query') <= (query IS NOT NULL AND databaseName IS NOT NULL)), 
	CONSTRAINT persontable_rule5 CHECK ((sealedTai IS NULL) = (nRows IS NULL)), 
	CONSTRAINT persontable_rule6 CHECK ((raColumn IS NULL) = (declColumn IS NULL)), 
	CONSTRAINT persontable_values CHECK (LEAST(nrows, nbytes) >= 0)
);
COMMENT ON TABLE service.persontable IS 'Tables of people, each in the schema of its owner. A table is filled once and never changed after; it counts against the quota of its owner with nBytes.';
COMMENT ON COLUMN service.persontable.schemaname IS 'schemaName: Schema of the table: mydb_ and the name of its owner.';
COMMENT ON COLUMN service.persontable.tablename IS 'tableName: Name of the table.';
COMMENT ON COLUMN service.persontable.personname IS 'personName: Person the table belongs to.';
COMMENT ON COLUMN service.persontable.description IS 'description: What the table holds, in words of its owner; may be empty.';
COMMENT ON COLUMN service.persontable.nrows IS 'nRows: Rows of the table; NULL while it is filled.';
COMMENT ON COLUMN service.persontable.nbytes IS 'nBytes: What the table takes of the quota: rows, indexes, long values, and a fixed part for its entries in catalogues. [byte]';
COMMENT ON COLUMN service.persontable.createdtai IS 'createdTai: Ledger time (TAI) at which the table was made.';
COMMENT ON COLUMN service.persontable.sealedtai IS 'sealedTai: Ledger time (TAI) since which the table can be read and not be changed; NULL while it is filled.';
COMMENT ON COLUMN service.persontable.origin IS 'origin: What the table was made of: upload or query.';
COMMENT ON COLUMN service.persontable.query IS 'query: Query whose answer the table is.';
COMMENT ON COLUMN service.persontable.databasename IS 'databaseName: Virtual database that was asked.';
COMMENT ON COLUMN service.persontable.instanttai IS 'instantTai: Instant of ledger time (TAI) as of which the answer is.';
COMMENT ON COLUMN service.persontable.racolumn IS 'raColumn: Column of the right ascension [deg] in PostgreSQL, if positions are indexed.';
COMMENT ON COLUMN service.persontable.declcolumn IS 'declColumn: Column of the declination [deg] in PostgreSQL, if positions are indexed.';
CREATE INDEX persontable_personname_idx ON service.persontable (personname);
CREATE TABLE service.tableshare (
	schemaname TEXT NOT NULL, 
	tablename TEXT NOT NULL, 
	granteekind TEXT NOT NULL, 
	granteename TEXT NOT NULL, 
	sharedtai TIMESTAMP WITHOUT TIME ZONE NOT NULL, 
	CONSTRAINT tableshare_pkey PRIMARY KEY (schemaname, tablename, granteekind, granteename), 
	CONSTRAINT tableshare_rule1 CHECK (granteeKind IN ('person', 'group', 'everyone')), 
	CONSTRAINT tableshare_rule2 CHECK ((granteeKind = 'everyone') = (granteeName = ''))
);
COMMENT ON TABLE service.tableshare IS 'With whom people share their tables. Who is named here may read the table, and nothing else.';
COMMENT ON COLUMN service.tableshare.schemaname IS 'schemaName: Schema of the table.';
COMMENT ON COLUMN service.tableshare.tablename IS 'tableName: Name of the table.';
COMMENT ON COLUMN service.tableshare.granteekind IS 'granteeKind: Who may read it: person, group or everyone.';
COMMENT ON COLUMN service.tableshare.granteename IS 'granteeName: Name of the person or group; empty for everyone.';
COMMENT ON COLUMN service.tableshare.sharedtai IS 'sharedTai: Ledger time (TAI) since which the table is shared.';
CREATE INDEX tableshare_granteekind_granteename_idx ON service.tableshare (granteekind, granteename);

-- Parts of the tables' guard, hence frozen here and not replayed.
CREATE FUNCTION service.refuse_change() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  RAISE EXCEPTION '%.% keeps every row as it is', TG_TABLE_SCHEMA, TG_TABLE_NAME
    USING ERRCODE = 'insufficient_privilege', HINT = 'Give another allocation; it becomes a row of its own.';
END $$;
CREATE TRIGGER refuse_change BEFORE UPDATE OR DELETE OR TRUNCATE ON service.allocation
  FOR EACH STATEMENT EXECUTE FUNCTION service.refuse_change();

-- At the end of a transaction no table is half filled.
CREATE FUNCTION service.refuse_unsealed() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
BEGIN
  IF EXISTS (SELECT FROM service.persontable AS t WHERE t.schemaname = NEW.schemaname
      AND t.tablename = NEW.tablename AND t.sealedtai IS NULL) THEN
    RAISE EXCEPTION 'table %.% was filled and not sealed', NEW.schemaname, NEW.tablename
      USING ERRCODE = 'object_not_in_prerequisite_state',
        HINT = 'Call service.seal_table in the transaction that filled it; nothing has been kept.';
  END IF;
  RETURN NULL;
END $$;
CREATE CONSTRAINT TRIGGER refuse_unsealed AFTER INSERT OR UPDATE ON service.persontable
  DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION service.refuse_unsealed();
