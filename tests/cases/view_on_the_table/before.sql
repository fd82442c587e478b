CREATE VIEW adults AS SELECT id, name FROM people
