CREATE UNIQUE INDEX people_address ON people (lower(email))
