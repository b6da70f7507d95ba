//! `rollback`, `redo`, `fake`, `resolve`, `adopt` and `new`.
#![cfg(feature = "sqlite")]

use diesel::connection::SimpleConnection;
use diesel::{Connection, SqliteConnection};
use router_cli::Exit;

use crate::assert_shown;
use crate::world::World;

/// Three databases with everything applied.
fn applied() -> World {
    let world = World::migrated();
    assert_eq!(world.run(["migrate"]).exit, Exit::Fine);
    world
}

fn execute(world: &World, file: &str, sql: &str) {
    let mut conn = SqliteConnection::establish(world.path(file).to_str().unwrap()).unwrap();
    conn.batch_execute(sql).unwrap();
}

#[test]
fn of_several_databases_one_is_to_be_named() {
    let world = applied();
    assert_shown!(world.show(["rollback"]), @r#"
    exit: 2
    --- stdout
    --- stderr
    error: rollback needs a database: there are `default`, `blog_owner`, `shop_db`; name the ones that are meant
    "#);
    assert_shown!(world.show(["redo", "--format", "json"]), @r#"
    exit: 2
    --- stdout
    --- stderr
    error: redo needs a database: there are `default`, `blog_owner`, `shop_db`; name the ones that are meant
    "#);
    assert_shown!(world.show(["rollback", "--steps", "0"]), @r#"
    exit: 2
    --- stdout
    --- stderr
    error: invalid value '0' for '--steps <N>': no step is nothing to do; write 1 or more

    For more information, try '--help'.
    "#);
}

#[test]
fn the_last_migrations_are_reverted_latest_first() {
    let world = applied();
    assert_shown!(world.show(["rollback", "--database", "blog_db"]), @r#"
    exit: 0
    --- stdout
    database    outcome  done        not done  time
    blog_owner  done     1 reverted  - TIME
    --- stderr
    blog_owner: 1 migration to revert
    blog_owner: reverting blog/2_comments
    blog_owner: reverted blog/2_comments in TIME
    "#);
    assert_shown!(world.show(["rollback", "--app", "blog", "--format", "json"]), @r#"
    exit: 0
    --- stdout
    {"databases":[{"database":"blog_owner","outcome":"done","done":[{"app":"blog","version":"1","name":"1_posts","action":"reverted","ms":TIME}],"not_done":[],"warnings":[],"ms":TIME,"later":0}],"failures":[],"problems":[]}
    --- stderr
    blog_owner: 1 migration to revert
    blog_owner: reverting blog/1_posts
    blog_owner: reverted blog/1_posts in TIME
    "#);
    assert_shown!(world.show(["rollback", "-d", "blog_db"]), @r#"
    exit: 0
    --- stdout
    database    outcome            done  not done  time
    blog_owner  nothing to revert  -     - TIME
    --- stderr
    "#);
}

#[test]
fn what_has_no_way_back_stays_with_all_after_it() {
    let world = applied();
    let now = std::time::SystemTime::now();
    let config = router_diesel::config::Config::loader().file(world.path("databases.yml"));
    let config = config.variables(Vec::<(String, String)>::new()).load().unwrap();
    let routing = router_diesel::Routing::new(config).unwrap();
    let made = router_diesel::tasks::new_migration(&routing, "blog", "skeleton", now).unwrap();
    let skeleton = std::fs::read_to_string(made.folder.join("down.sql")).unwrap();
    std::fs::remove_dir_all(made.folder).unwrap();
    world.migration("blog/3_tags", "CREATE TABLE tags (id INTEGER);", " \n");
    world.migration("blog/4_marks", "CREATE TABLE marks (id INTEGER);", &skeleton);
    world.migration("blog/5_done", "CREATE TABLE done (id INTEGER);", "DROP TABLE done;");
    assert_eq!(world.run(["migrate"]).exit, Exit::Fine);
    std::fs::remove_file(world.path("migrations/blog/2_comments/down.sql")).unwrap();
    world.write("migrations/blog/1_posts/down.sql", "DROP TABLE posts;\nDELETE FROM users;\n");
    assert_shown!(world.show(["rollback", "-d", "blog_db", "--steps", "5"]), @r#"
    exit: 4
    --- stdout
    database    outcome  done  not done  time
    blog_owner  failed   -     5 TIME
    blog_owner: failed; not reverted: blog/5_done, blog/4_marks, blog/3_tags, blog/2_comments, blog/1_posts
    --- stderr
    error: FOLDER/migrations/blog/4_marks: migration `4_marks` of app `blog` cannot be reverted on `blog_owner`: its `down.sql` holds only comments, those that `dbrouter new` wrote; nothing of it was changed
      help: write `down.sql`, or `down.sqlite.sql` for this engine alone
    error: FOLDER/migrations/blog/3_tags: migration `3_tags` of app `blog` cannot be reverted on `blog_owner`: its `down.sql` is empty; nothing of it was changed
      help: write `down.sql`, or `down.sqlite.sql` for this engine alone
    error: FOLDER/migrations/blog/2_comments: migration `2_comments` of app `blog` cannot be reverted on `blog_owner`: its `down.sql` is missing; nothing of it was changed
      help: write `down.sql`, or `down.sqlite.sql` for this engine alone
    error: FOLDER/migrations/blog/1_posts/down.sql: migration `1_posts` of app `blog` cannot be reverted on `blog_owner`: line 2 uses `users` of app `users`, which is on `default`; this migration of app `blog` runs on `blog_owner`; nothing of it was changed
      help: move the statement to a migration of app `users`, or copy the rows by a program
    "#);
    assert_eq!(world.run(["status", "-d", "blog_db", "--check"]).exit, Exit::Fine);
    assert_eq!(world.run(["redo", "-d", "blog_db", "--steps", "2"]).exit, Exit::Failed);
    assert_eq!(world.run(["status", "-d", "blog_db", "--check"]).exit, Exit::Fine);
    assert_eq!(world.run(["rollback", "-d", "blog_db"]).exit, Exit::Fine);
}

#[test]
fn what_was_edited_is_reverted_with_a_warning_and_run_as_it_stands() {
    let world = applied();
    world.migration(
        "blog/2_comments",
        "CREATE TABLE comments (id INTEGER, text TEXT);",
        "DROP TABLE comments;",
    );
    assert_eq!(world.run(["migrate"]).exit, Exit::Failed);
    assert_shown!(world.show(["redo", "-d", "blog_db"]), @r#"
    exit: 0
    --- stdout
    database    outcome  done                   not done  time
    blog_owner  done     1 reverted, 1 applied  - TIME
    --- stderr
    blog_owner: warning: migration `2_comments` of app `blog` was edited after it was applied to `blog_owner`: its `down.sql` must undo what ran then
    blog_owner: 1 migration to revert
    blog_owner: reverting blog/2_comments
    blog_owner: reverted blog/2_comments in TIME
    blog_owner: 1 migration to run
    blog_owner: applying blog/2_comments
    blog_owner: applied blog/2_comments in TIME
    "#);
    assert_eq!(world.run(["status", "--check"]).exit, Exit::Fine);
    // What undoes it may be edited at any time.
    world.write("migrations/blog/2_comments/down.sql", "DROP TABLE IF EXISTS comments;");
    assert_eq!(world.run(["status", "--check"]).exit, Exit::Fine);
}

#[test]
fn the_last_migrations_are_run_again() {
    let world = applied();
    assert_shown!(world.show(["redo", "-d", "blog_db", "-d", "shop_db"]), @r#"
    exit: 0
    --- stdout
    database    outcome  done                   not done  time
    blog_owner  done     1 reverted, 1 applied  - TIME
    shop_db     done     1 reverted, 1 applied  - TIME
    --- stderr
    blog_owner: 1 migration to revert
    blog_owner: reverting blog/2_comments
    blog_owner: reverted blog/2_comments in TIME
    blog_owner: 1 migration to run
    blog_owner: applying blog/2_comments
    blog_owner: applied blog/2_comments in TIME
    shop_db: 1 migration to revert
    shop_db: reverting shop/1_products
    shop_db: reverted shop/1_products in TIME
    shop_db: 1 migration to run
    shop_db: applying shop/1_products
    shop_db: applied shop/1_products in TIME
    "#);
    assert_shown!(world.show(["redo", "-d", "blog_db", "--steps", "2", "--format", "json"]), @r#"
    exit: 0
    --- stdout
    {"databases":[{"database":"blog_owner","outcome":"done","done":[{"app":"blog","version":"2","name":"2_comments","action":"reverted","ms":TIME},{"app":"blog","version":"1","name":"1_posts","action":"reverted","ms":TIME},{"app":"blog","version":"1","name":"1_posts","action":"applied","ms":TIME},{"app":"blog","version":"2","name":"2_comments","action":"applied","ms":TIME}],"not_done":[],"warnings":[],"ms":TIME,"later":0}],"failures":[],"problems":[]}
    --- stderr
    blog_owner: 2 migrations to revert
    blog_owner: reverting blog/2_comments
    blog_owner: reverted blog/2_comments in TIME
    blog_owner: reverting blog/1_posts
    blog_owner: reverted blog/1_posts in TIME
    blog_owner: 2 migrations to run
    blog_owner: applying blog/1_posts
    blog_owner: applied blog/1_posts in TIME
    blog_owner: applying blog/2_comments
    blog_owner: applied blog/2_comments in TIME
    "#);
}

#[test]
fn migrations_are_recorded_without_being_run() {
    let world = World::migrated();
    assert_shown!(world.show(["fake"]), @r#"
    exit: 2
    --- stdout
    --- stderr
    error: the following required arguments were not provided:
      <VERSION|--all>

    Usage: dbrouter fake <VERSION|--all>

    For more information, try '--help'.
    "#);
    assert_shown!(world.show(["fake", "7"]), @r#"
    exit: 2
    --- stdout
    --- stderr
    error: no migration of `blog`, `shop`, `users` has the version 7; `status` lists those that there are
    "#);
    assert_shown!(world.show(["fake", "1", "--app", "blog"]), @r#"
    exit: 0
    --- stdout
    database    outcome  done        not done  time
    blog_owner  done     1 recorded  - TIME
    --- stderr
    blog_owner: recorded blog/1_posts
    "#);
    assert_shown!(world.show(["fake", "--all", "--format", "json"]), @r#"
    exit: 0
    --- stdout
    {"databases":[{"database":"default","outcome":"done","done":[{"app":"users","version":"1","name":"1_users","action":"recorded","ms":null}],"not_done":[],"warnings":[],"ms":TIME,"later":0},{"database":"blog_owner","outcome":"done","done":[{"app":"blog","version":"2","name":"2_comments","action":"recorded","ms":null}],"not_done":[],"warnings":[],"ms":TIME,"later":0},{"database":"shop_db","outcome":"done","done":[{"app":"shop","version":"1","name":"1_products","action":"recorded","ms":null}],"not_done":[],"warnings":[],"ms":TIME,"later":0}],"failures":[],"problems":[]}
    --- stderr
    default: recorded users/1_users
    blog_owner: recorded blog/2_comments
    shop_db: recorded shop/1_products
    "#);
    assert_shown!(world.show(["status"]), @r#"
    exit: 0
    --- stdout
    database    migration        state  applied at
    default     users/1_users    drift  WHEN  its table `users` is not there
    blog_owner  blog/1_posts     drift  WHEN  its table `posts` is not there
    blog_owner  blog/2_comments  drift  WHEN  its table `comments` is not there
    shop_db     shop/1_products  drift  WHEN  its table `products` is not there
    --- stderr
    default: users/1_users is drift
      help: put the table back; to have the migration run again, `dbrouter resolve users 1 --reverted --database default` makes it pending
    blog_owner: blog/1_posts is drift
      help: put the table back; to have the migration run again, `dbrouter resolve blog 1 --reverted --database blog_owner` makes it pending
    blog_owner: blog/2_comments is drift
      help: put the table back; to have the migration run again, `dbrouter resolve blog 2 --reverted --database blog_owner` makes it pending
    shop_db: shop/1_products is drift
      help: put the table back; to have the migration run again, `dbrouter resolve shop 1 --reverted --database shop_db` makes it pending
    4 migrations in doubt
    "#);
}

#[test]
fn what_is_in_doubt_is_resolved() {
    let world = applied();
    assert_shown!(world.show(["resolve", "blog", "1"]), @r#"
    exit: 2
    --- stdout
    --- stderr
    error: the following required arguments were not provided:
      <--applied|--reverted>

    Usage: dbrouter resolve <--applied|--reverted> <APP> <VERSION>

    For more information, try '--help'.
    "#);
    assert_shown!(world.show(["resolve", "blog", "1", "--applied"]), @r#"
    exit: 2
    --- stdout
    --- stderr
    error: version 1 of app `blog` is applied on `blog_owner`, so there is nothing to resolve; nothing of app `blog` is in doubt
    "#);
    world.migration("blog/1_posts", "CREATE TABLE posts (id INTEGER, title TEXT);", "");
    assert_shown!(world.show(["resolve", "blog", "1", "--applied"]), @r#"
    exit: 0
    --- stdout
    database    outcome  done        not done  time
    blog_owner  done     1 recorded  - TIME
    --- stderr
    blog_owner: recorded blog/1_posts
    "#);
    assert_eq!(world.run(["status", "--check"]).exit, Exit::Fine);
    assert_shown!(world.show(["resolve", "shop", "1", "--reverted", "-d", "shop_db", "--format", "json"]), @r#"
    exit: 0
    --- stdout
    {"databases":[{"database":"shop_db","outcome":"done","done":[{"app":"shop","version":"1","name":"1_products","action":"forgotten","ms":null}],"not_done":[],"warnings":[],"ms":TIME,"later":0}],"failures":[],"problems":[]}
    --- stderr
    shop_db: forgotten shop/1_products
    "#);
}

#[test]
fn diesels_own_records_are_shown_and_then_taken_over() {
    let world = World::migrated();
    assert_shown!(world.show(["adopt"]), @r#"
    exit: 0
    --- stdout
    --- stderr
    there is nothing to take over: no database has records of Diesel's own command, or any that are not where they belong
    "#);
    execute(
        &world,
        "blog.sqlite3",
        "CREATE TABLE posts (id INTEGER);
         CREATE TABLE __diesel_schema_migrations (version VARCHAR(50) PRIMARY KEY NOT NULL, run_on TIMESTAMP NOT NULL);
         INSERT INTO __diesel_schema_migrations VALUES ('1', '2024-03-01 12:00:00'), ('77', '2024-03-02 12:00:00');",
    );
    assert_shown!(world.show(["adopt"]), @r#"
    exit: 0
    --- stdout
    database    migration     becomes                            run on
    blog_owner  blog/1_posts  applied                            WHEN
    blog_owner  77            left out, no app has this version
    --- stderr
    1 record to take over; `dbrouter adopt --apply` does it
    "#);
    assert_shown!(world.show(["adopt", "--app", "blog", "-d", "blog_owner"]), @r#"
    exit: 0
    --- stdout
    database    migration     becomes                              run on
    blog_owner  blog/1_posts  applied                              WHEN
    blog_owner  77            left out, of no app that was chosen
    --- stderr
    1 record to take over; `dbrouter adopt --apply --database blog_owner --app blog` does it
    "#);
    assert_shown!(world.show(["adopt", "--format", "json"]), @r#"
    exit: 0
    --- stdout
    {"databases":[{"database":"blog_owner","adopted":[{"app":"blog","version":"1","name":"1_posts","run_on":"WHEN"}],"known":[],"unknown":["77"],"ambiguous":[],"from":null}],"failures":[],"report":null}
    --- stderr
    1 record to take over; `dbrouter adopt --apply` does it
    "#);
    assert_shown!(world.show(["status", "-d", "blog_db"]), @r#"
    exit: 0
    --- stdout
    database    migration        state    applied at
    blog_owner  blog/1_posts     pending  -
    blog_owner  blog/2_comments  pending  -
    --- stderr
    error: Diesel's own harness has run migrations on `blog_owner` that are not recorded here: blog/1_posts
      help: `dbrouter adopt --database blog_owner` shows what it takes over, and does so with `--apply`; or record one by `dbrouter fake 1 --database blog_owner --app blog`
    "#);
    assert_shown!(world.show(["adopt", "--apply"]), @r#"
    exit: 0
    --- stdout
    database    migration     becomes                            run on
    blog_owner  blog/1_posts  applied                            WHEN
    blog_owner  77            left out, no app has this version
    database    outcome  done        not done  time
    blog_owner  done     1 recorded  - TIME
    --- stderr
    "#);
    assert_shown!(world.show(["adopt", "--apply", "--format", "json"]), @r#"
    exit: 0
    --- stdout
    {"databases":[{"database":"blog_owner","adopted":[],"known":[{"app":"blog","version":"1","name":"1_posts"}],"unknown":["77"],"ambiguous":[],"from":null}],"failures":[],"report":{"databases":[],"failures":[],"problems":[]}}
    --- stderr
    "#);
    assert_shown!(world.show(["status", "-d", "blog_db"]), @r#"
    exit: 0
    --- stdout
    database    migration        state    applied at
    blog_owner  blog/1_posts     applied  WHEN
    blog_owner  blog/2_comments  pending  -
    --- stderr
    1 migration to run
    "#);
}

#[test]
fn a_changed_migration_keeps_others_from_running_and_can_be_rolled_back() {
    let world = World::migrated();
    assert_eq!(world.run(["migrate", "-d", "blog_db"]).exit, Exit::Fine);
    world.migration("blog/2_comments", "CREATE TABLE comments (id BIGINT);", "DROP TABLE comments;");
    world.migration("blog/3_more", "CREATE TABLE posts_more (id INTEGER);", "DROP TABLE posts_more;");
    assert_eq!(world.run(["status", "-d", "blog_db"]).exit, Exit::Fine);
    assert_eq!(world.run(["status", "-d", "blog_db", "--check"]).exit, Exit::Found);
    assert_eq!(world.run(["migrate", "-d", "blog_db"]).exit, Exit::Failed);
    assert_eq!(world.run(["redo", "-d", "blog_db"]).exit, Exit::Fine);
    world.migration("blog/2_comments", "CREATE TABLE comments (id TEXT);", "DROP TABLE comments;");
    assert_eq!(world.run(["migrate", "-d", "blog_db"]).exit, Exit::Failed);
    assert_eq!(world.run(["rollback", "-d", "blog_db"]).exit, Exit::Fine);
    assert_eq!(world.run(["migrate", "-d", "blog_db"]).exit, Exit::Fine);
    assert_eq!(world.run(["status", "-d", "blog_db", "--check"]).exit, Exit::Fine);
}

#[test]
fn a_migration_that_nobody_has_written_does_not_run() {
    let world = World::migrated();
    assert_eq!(world.run(["new", "shop", "orders"]).exit, Exit::Fine);
    assert_shown!(world.show(["migrate", "-d", "shop_db"]), @r#"
    exit: 2
    --- stdout
    --- stderr
    error[Empty]: FOLDER/migrations/shop/NOW_orders/up.sql: migration `NOW_orders` of app `shop` is as `dbrouter new` wrote it: nothing would run, and it would count as applied
      help: write its SQL, remove the folder, or say why in a comment that nothing is to be done
    nothing was run
    "#);
    let made = std::fs::read_dir(world.path("migrations/shop")).unwrap();
    let folder = made.map(|entry| entry.unwrap().path()).find(|path| !path.ends_with("1_products")).unwrap();
    std::fs::write(folder.join("up.sql"), "-- nothing to be done\n").unwrap();
    assert_eq!(world.run(["migrate", "-d", "shop_db"]).exit, Exit::Fine);
    let ended = world.run(["rollback", "-d", "shop_db"]);
    assert_eq!(ended.exit, Exit::Failed);
    assert!(ended.stderr.contains("its `down.sql` holds only comments, those that"), "{}", ended.stderr);
}

#[test]
fn a_migration_is_begun_in_the_place_of_its_app() {
    let world = World::migrated();
    assert_shown!(world.show(["new", "blog", "Add tags"]), @r#"
    exit: 0
    --- stdout
    created `FOLDER/migrations/blog/NOW_add_tags/up.sql`
    created `FOLDER/migrations/blog/NOW_add_tags/down.sql`
    --- stderr
    it runs on blog_owner
    "#);
    assert_shown!(world.show(["new", "shop", "orders", "--format", "json"]), @r#"
    exit: 0
    --- stdout
    {"folder":"FOLDER/migrations/shop/NOW_orders","up":"FOLDER/migrations/shop/NOW_orders/up.sql","down":"FOLDER/migrations/shop/NOW_orders/down.sql","databases":["shop_db"]}
    --- stderr
    "#);
    assert_shown!(world.show(["new", "blgo", "x"]), @r#"
    exit: 2
    --- stdout
    --- stderr
    error: unknown app `blgo`; did you mean `blog`?
    "#);
    assert_shown!(world.show(["new", "blog", "../x"]), @r#"
    exit: 2
    --- stdout
    --- stderr
    error: `../x` cannot be the name of a migration; use letters, digits and `_`, as in `create_posts`
    "#);
}
