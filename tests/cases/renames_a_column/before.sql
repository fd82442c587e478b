CREATE INDEX people_email ON people (email)
