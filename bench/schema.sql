-- The tables of the benchmark, the same for every peer: each has a schema of its own with a copy of them.
CREATE TABLE customers (
    id         uuid PRIMARY KEY,
    created_at timestamptz NOT NULL,
    updated_at timestamptz NOT NULL,
    name       text NOT NULL,
    email      text NOT NULL UNIQUE
);
CREATE TABLE products (
    id         uuid PRIMARY KEY,
    created_at timestamptz NOT NULL,
    updated_at timestamptz NOT NULL,
    version    bigint NOT NULL,
    name       text NOT NULL,
    sku        text NOT NULL UNIQUE,
    price      bigint NOT NULL,
    stock      bigint NOT NULL
) WITH (fillfactor = 50); -- room for new versions of rows beside the old ones: the thousandth update costs what the first did
CREATE TABLE orders (
    id          uuid PRIMARY KEY,
    created_at  timestamptz NOT NULL,
    updated_at  timestamptz NOT NULL,
    customer_id uuid NOT NULL REFERENCES customers,
    total       bigint NOT NULL
);
CREATE TABLE order_lines (
    id         uuid PRIMARY KEY,
    order_id   uuid NOT NULL REFERENCES orders,
    product_id uuid NOT NULL REFERENCES products,
    quantity   bigint NOT NULL,
    price      bigint NOT NULL
);
CREATE TABLE messages (
    id         uuid PRIMARY KEY,
    created_at timestamptz NOT NULL,
    topic      text NOT NULL,
    payload    jsonb NOT NULL
);
