CREATE TABLE comments (
    id INTEGER PRIMARY KEY NOT NULL,
    post_id INTEGER NOT NULL REFERENCES posts (id),
    user_id INTEGER NOT NULL,
    body TEXT NOT NULL
);
CREATE INDEX comments_by_post ON comments (post_id);
