CREATE VIEW adults AS SELECT id, email FROM people
