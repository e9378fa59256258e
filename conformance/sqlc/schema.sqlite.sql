CREATE TABLE authors (
    id   INTEGER PRIMARY KEY AUTOINCREMENT,
    name TEXT NOT NULL
);

-- There is one writer: a row need not say on which connection it was written.
CREATE TABLE books (
    id         INTEGER PRIMARY KEY AUTOINCREMENT,
    isbn       TEXT NOT NULL UNIQUE,
    title      TEXT NOT NULL,
    author_id  INTEGER REFERENCES authors (id),
    connection INTEGER NOT NULL DEFAULT 0
);
