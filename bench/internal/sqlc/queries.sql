-- name: CreateCustomer :exec
INSERT INTO customers (id, created_at, updated_at, name, email) VALUES ($1, $2, $3, $4, $5);

-- name: CreateCustomers :copyfrom
INSERT INTO customers (id, created_at, updated_at, name, email) VALUES ($1, $2, $3, $4, $5);

-- name: CreateMessage :exec
INSERT INTO messages (id, created_at, topic, payload) VALUES ($1, $2, $3, $4);

-- name: GetProduct :one
SELECT * FROM products WHERE id = $1;

-- name: ProductsByID :many
SELECT * FROM products WHERE id = ANY(@ids::uuid[]);

-- name: ListProducts :many
SELECT * FROM products;

-- name: UpdateStock :execrows
UPDATE products SET stock = $3, updated_at = $4, version = version + 1 WHERE id = $1 AND version = $2;

-- name: UpdateStocks :batchone
UPDATE products SET stock = $3, updated_at = $4, version = version + 1 WHERE id = $1 AND version = $2 RETURNING id;

-- name: CreateOrder :exec
INSERT INTO orders (id, created_at, updated_at, customer_id, total) VALUES ($1, $2, $3, $4, $5);

-- name: CreateOrderLines :batchexec
INSERT INTO order_lines (id, order_id, product_id, quantity, price) VALUES ($1, $2, $3, $4, $5);
