CREATE TYPE mood AS ENUM ('well')

CREATE TABLE moods (id INTEGER NOT NULL PRIMARY KEY, mood mood)

INSERT INTO moods VALUES (1, 'well')

CREATE INDEX pets_name ON pets (name)

CREATE INDEX people_email ON people (email)
