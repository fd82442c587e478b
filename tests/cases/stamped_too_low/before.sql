CREATE INDEX people_born ON people (name)
