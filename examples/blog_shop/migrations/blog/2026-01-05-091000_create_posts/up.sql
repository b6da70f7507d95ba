-- `user_id` is a user of another database, so no foreign key can say so.
CREATE TABLE posts (
    id INTEGER PRIMARY KEY NOT NULL,
    user_id INTEGER NOT NULL,
    title TEXT NOT NULL,
    body TEXT NOT NULL,
    published_on TEXT NOT NULL
);
CREATE INDEX posts_by_user ON posts (user_id);
