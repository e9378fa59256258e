-- name: InsertBook :one
INSERT INTO books (isbn, title) VALUES ($1, $2) RETURNING id;

-- name: RetitleBook :execrows
UPDATE books SET title = $1 WHERE isbn = $2;

-- name: Titles :many
SELECT title FROM books ORDER BY isbn;
