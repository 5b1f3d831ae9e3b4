-- Changes of tables since first light, one section a subject. Costs are for a full database.

-- Comments: nothing.
COMMENT ON SCHEMA staging IS 'Rows on their way in, by slot, and the functions that work on them; emptied by a crash.';
