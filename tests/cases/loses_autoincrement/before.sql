CREATE TABLE bills (id INTEGER PRIMARY KEY AUTOINCREMENT, note VARCHAR(40))

INSERT INTO bills (note) VALUES ('first'), ('second')

DELETE FROM bills WHERE note = 'second'
