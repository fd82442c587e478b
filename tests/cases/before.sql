CREATE TABLE people (id INTEGER NOT NULL PRIMARY KEY, name VARCHAR(40) NOT NULL, email VARCHAR(80))

CREATE TABLE pets (id INTEGER NOT NULL PRIMARY KEY, person INTEGER, name VARCHAR(40),
  CONSTRAINT pets_person FOREIGN KEY (person) REFERENCES people (id))

INSERT INTO people VALUES (1, 'Ada', 'ada@example.org'), (2, 'Bob', NULL), (3, 'Cyd', 'CYD@example.org')

INSERT INTO pets VALUES (1, 1, 'Rex'), (2, 2, 'Tom'), (3, NULL, 'Ivy')
