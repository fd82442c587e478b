CREATE UNIQUE INDEX people_bob ON people (name) WHERE email IS NULL
