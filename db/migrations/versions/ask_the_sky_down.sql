-- Undoes ask_the_sky.sql, sections in reverse order.
DROP TABLE service.taptable;
DROP TABLE service.tapschema;
DROP TABLE service.tapkeycolumn;
DROP TABLE service.tapkey;
DROP TABLE service.tapcolumn;
DROP TABLE service.querylog;
DROP TABLE service.jobupload;
DROP TABLE service.job;
DROP SEQUENCE service.query_id;
DROP SCHEMA service;
