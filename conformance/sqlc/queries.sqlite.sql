-- name: InsertBook :one
INSERT INTO books (isbn, title) VALUES (?, ?) RETURNING id;

-- name: RetitleBook :execrows
UPDATE books SET title = ? WHERE isbn = ?;

-- name: Titles :many
SELECT title FROM books ORDER BY isbn;
