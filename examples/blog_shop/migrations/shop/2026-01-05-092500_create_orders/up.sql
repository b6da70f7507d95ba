-- `user_id` is a user of another database, so no foreign key can say so.
CREATE TABLE orders (
    id INTEGER PRIMARY KEY NOT NULL,
    user_id INTEGER NOT NULL,
    product_id INTEGER NOT NULL REFERENCES products (id),
    quantity INTEGER NOT NULL CHECK (quantity > 0),
    ordered_on TEXT NOT NULL
);
CREATE INDEX orders_by_user ON orders (user_id);
