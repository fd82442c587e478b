DROP TABLE people

CREATE TABLE people (id INTEGER NOT NULL PRIMARY KEY, name VARCHAR(40), loud TEXT GENERATED ALWAYS AS (upper(name)) STORED)

INSERT INTO people (id, name) VALUES (1, 'Ada'), (2, 'Bob')
